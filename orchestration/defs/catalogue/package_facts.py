"""Package records as columns: what the lake knows of media, in bulk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from orchestration.media.objects import PackageRecord

_PACKAGE_COLUMNS = {
    "title_id": pl.String(),
    "package_id": pl.String(),
    "source_sha256": pl.String(),
    "duration_s": pl.Float64(),
    "segment_duration_s": pl.Float64(),
    "size_bytes": pl.Int64(),
    "hls_key": pl.String(),
    "dash_key": pl.String(),
    "poster_key": pl.String(),
    "created_at": pl.Datetime("us"),
}
_RENDITION_COLUMNS = {
    "title_id": pl.String(),
    "package_id": pl.String(),
    "rendition_id": pl.String(),
    "rung": pl.String(),
    "kind": pl.String(),
    "codecs": pl.String(),
    "bitrate_bps": pl.Int64(),
    "peak_bitrate_bps": pl.Int64(),
    "width": pl.Int32(),
    "height": pl.Int32(),
    "frame_rate": pl.Float64(),
    "language": pl.String(),
}
_OBJECT_COLUMNS = {
    "title_id": pl.String(),
    "package_id": pl.String(),
    "key": pl.String(),
    "rendition_id": pl.String(),
    "rung": pl.String(),
    "segment_group": pl.Int64(),
    "size_bytes": pl.Int64(),
    "sha256": pl.String(),
    "duration_s": pl.Float64(),
}


@dataclass(kw_only=True)
class PackageFacts:
    """Three frames with the columns of ``raw.packages``, ``raw.renditions`` and ``raw.media_objects``."""

    packages: pl.DataFrame
    renditions: pl.DataFrame
    objects: pl.DataFrame


def collect_facts(records: Iterable[PackageRecord]) -> PackageFacts:
    """The facts of all packages."""
    rows = _Rows()
    for record in records:
        rows.add(record)
    return PackageFacts(
        packages=_frame(rows.packages, _PACKAGE_COLUMNS),
        renditions=_frame(rows.renditions, _RENDITION_COLUMNS),
        objects=_frame(rows.objects, _OBJECT_COLUMNS),
    )


@dataclass
class _Rows:
    packages: list[tuple[Any, ...]] = field(default_factory=list)
    renditions: list[tuple[Any, ...]] = field(default_factory=list)
    objects: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, record: PackageRecord) -> None:
        title_id, package_id = record.title_id, record.package_id
        self.packages.append(
            (
                title_id, package_id, record.source_sha256, record.duration_s, record.segment_duration_s,
                record.size_bytes, record.hls_key, record.dash_key, record.poster_key, _as_plain_utc(record.created_at),
            )
        )  # fmt: skip
        self.renditions.extend(
            (
                title_id, package_id, item.rendition_id, item.rung, item.kind, item.codecs, item.bitrate_bps,
                item.peak_bitrate_bps, item.width, item.height, item.frame_rate, item.language,
            )
            for item in record.renditions
        )  # fmt: skip
        self.objects.extend(
            (
                title_id, package_id, item.key, item.rendition_id, item.rung, item.segment_group, item.size_bytes,
                item.sha256, item.duration_s,
            )
            for item in record.objects
        )  # fmt: skip


def _frame(rows: list[tuple[Any, ...]], columns: dict[str, pl.DataType]) -> pl.DataFrame:
    # By column: a frame from many row tuples costs several times as much.
    values = zip(*rows, strict=True) if rows else ([] for _ in columns)
    return pl.DataFrame(
        [pl.Series(name, column, dtype=kind) for (name, kind), column in zip(columns.items(), values, strict=True)]
    )


def _as_plain_utc(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment
