"""Events as columns: from decoded beats and impressions to Arrow tables with the columns of the raw tables.

Pure work in memory. A million beats pass through here on a fresh start, so values are taken column by column, and
nested lists as offsets beside flat children; never row by row through dictionaries.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any

import pyarrow as pa

from playback_api.events import Beat, Impression, ImpressionItem

CLOCK_TOLERANCE = dt.timedelta(hours=1)
"""How far a client's clock may run ahead before the day of arrival counts in place of the day of sending."""


@dataclass(frozen=True, slots=True)
class RecordAddress:
    """Where a record stands in the event log."""

    writer: str
    segment: int
    record_offset: int


@dataclass(frozen=True, slots=True)
class StoredBeat:
    """A beat with what the log knows about it."""

    beat: Beat
    received_at: dt.datetime
    address: RecordAddress


@dataclass(frozen=True, slots=True)
class StoredItem:
    """One shown title with its page and what the log knows about it."""

    item: ImpressionItem
    page: Impression
    address: RecordAddress


def is_from_the_future(stored: StoredBeat) -> bool:
    """Whether a client's clock ran ahead by more than we tolerate."""
    return _as_utc(stored.beat.sent_at) > _as_utc(stored.received_at) + CLOCK_TOLERANCE


def event_day(stored: StoredBeat) -> dt.date:
    """The UTC day that a beat belongs to: that of sending, unless the client's clock runs far ahead.

    A late beat of any age counts for the day it was sent; a clock in the future cannot open a future partition.
    """
    return _as_utc(stored.received_at if is_from_the_future(stored) else stored.beat.sent_at).date()


def beats_table(beats: Sequence[StoredBeat], schema: pa.Schema) -> pa.Table:
    """Rows of ``raw.heartbeats``."""
    sources: dict[str, Callable[[StoredBeat], Any]] = {
        "event_day": event_day,
        "received_at": attrgetter("received_at"),
        **_address_sources(),
    }
    return _table(beats, schema, sources, default="beat")


def impressions_table(items: Sequence[StoredItem], schema: pa.Schema) -> pa.Table:
    """Rows of ``raw.impressions``."""
    page_columns = ("impression_id", "viewer_id", "region", "shown_at", "snapshot_id", "model_version", "exposures")
    sources: dict[str, Callable[[StoredItem], Any]] = {
        "event_day": lambda stored: _as_utc(stored.page.shown_at).date(),
        **{name: attrgetter(f"page.{name}") for name in page_columns},
        **_address_sources(),
    }
    return _table(items, schema, sources, default="item")


def _address_sources() -> dict[str, Callable[[Any], Any]]:
    return {name: attrgetter(f"address.{name}") for name in ("writer", "segment", "record_offset")}


def _table(
    rows: Sequence[Any], schema: pa.Schema, sources: dict[str, Callable[[Any], Any]], *, default: str
) -> pa.Table:
    """A table by column; a column without a source of its own is the attribute of that name of ``default``."""
    columns = [
        _array(list(map(sources.get(field.name, attrgetter(f"{default}.{field.name}")), rows)), field.type)
        for field in schema
    ]
    return pa.table(columns, names=schema.names)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_list(kind):
        # Zoned datetimes become UTC here, which is what the lake's plain timestamps mean.
        return pa.array(values, type=kind)
    offsets = pa.array(accumulate(map(len, values), initial=0), type=pa.int32())
    children = list(chain.from_iterable(values))
    fields = list(kind.value_type)
    flat = [_array(list(map(attrgetter(field.name), children)), field.type) for field in fields]
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(flat, fields=fields))


def _as_utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
