"""Forecasts, their audiences, back-tests and mentions in the object store.

Objects are immutable and named by content; pointers name those in force.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io

import msgspec
import polars as pl

from orchestration.store import ObjectMissing, ObjectStore

AREA = "forecasts"
POINTER_KEY = f"{AREA}/CURRENT"
BACKTEST_AREA = f"{AREA}/backtests"
BACKTEST_POINTER_KEY = f"{BACKTEST_AREA}/CURRENT"
MENTIONS_AREA = f"{AREA}/mentions"
MENTIONS_POINTER_KEY = f"{MENTIONS_AREA}/CURRENT"
AUDIENCE_AREA = f"{AREA}/audiences"
AUDIENCE_POINTER_KEY = f"{AUDIENCE_AREA}/CURRENT"
MENTIONS_SCHEMA = {"day": pl.Date, "region_id": pl.String, "title_id": pl.String, "mentions": pl.Float64}


class BacktestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a back-test decided.

    Attributes:
        today: The day on which it stood.
        published: ``lightgbm`` or ``persistence-decay``.
        reason: Why.
        wape_total: Error of the sums over the horizon, by method; methods that were not scored are left out.
        wape_next_day: Error of single days, one day ahead, of the published method; None when it was not scored.
    """

    today: dt.date
    published: str
    reason: str
    wape_total: dict[str, float]
    wape_next_day: float | None = None


def store_backtest(store: ObjectStore, record: BacktestRecord) -> str:
    """Keep a back-test's decision and point to it; returns its key."""
    content = msgspec.json.encode(record)
    key = f"{BACKTEST_AREA}/{record.today.isoformat()}-{_digest(content)}.json"
    store.put_bytes(key, content)
    store.put_bytes(BACKTEST_POINTER_KEY, key.encode(), replace=True)
    return key


def read_backtest(store: ObjectStore) -> BacktestRecord | None:
    """The newest back-test's decision; None before the first one."""
    try:
        key = store.read_bytes(BACKTEST_POINTER_KEY).decode()
    except ObjectMissing:
        return None
    return msgspec.json.decode(store.read_bytes(key), type=BacktestRecord)


def forecast_key(forecast_id: str) -> str:
    """Where a forecast stands in the store."""
    return f"{AREA}/{forecast_id}.parquet"


def store_forecast(store: ObjectStore, forecast: pl.DataFrame, today: dt.date) -> str:
    """Write a forecast without pointing to it; returns its id, which names its day and its content."""
    content = _parquet(forecast)
    forecast_id = f"{today.isoformat()}-{_digest(content)}"
    store.put_bytes(forecast_key(forecast_id), content)
    return forecast_id


def publish_forecast(store: ObjectStore, forecast_id: str) -> None:
    """Make a stored forecast the current one."""
    store.put_bytes(POINTER_KEY, forecast_id.encode(), replace=True)


def read_current_forecast(store: ObjectStore) -> tuple[str, pl.DataFrame]:
    """The current forecast and its id.

    Raises:
        ObjectMissing: No forecast was published yet.
    """
    forecast_id = store.read_bytes(POINTER_KEY).decode().strip()
    return forecast_id, read_forecast(store, forecast_id)


def read_forecast(store: ObjectStore, forecast_id: str) -> pl.DataFrame:
    """A stored forecast.

    Raises:
        ObjectMissing: There is none of that id.
    """
    return pl.read_parquet(io.BytesIO(store.read_bytes(forecast_key(forecast_id))))


def read_forecast_for(store: ObjectStore, day: dt.date) -> pl.DataFrame | None:
    """The newest forecast that was made on or before a day and has it; None when there is none.

    One that was made on the day itself knew only the days before it.
    """
    for key in sorted(store.keys(AREA), reverse=True):
        name = key.removeprefix(f"{AREA}/")
        if "/" not in name and name.endswith(".parquet") and name[: len(day.isoformat())] <= day.isoformat():
            frame = pl.read_parquet(io.BytesIO(store.read_bytes(key)))
            # what broke a rule is kept too, and was never in force
            if (frame["day"] == day).any() and frame["sessions"].is_finite().all():
                return frame
    return None


def store_audience(store: ObjectStore, dealt: pl.DataFrame, forecast_id: str) -> str:
    """Keep a forecast by age bands and point to it; returns its key, which begins with the forecast's id."""
    content = _parquet(dealt)
    key = f"{AUDIENCE_AREA}/{forecast_id}-{_digest(content)}.parquet"
    store.put_bytes(key, content)
    store.put_bytes(AUDIENCE_POINTER_KEY, key.encode(), replace=True)
    return key


def store_mentions(store: ObjectStore, mentions: pl.DataFrame) -> str:
    """Keep the accepted mentions and point to them; returns their key."""
    content = _parquet(mentions)
    key = f"{MENTIONS_AREA}/{_digest(content)}.parquet"
    store.put_bytes(key, content)
    store.put_bytes(MENTIONS_POINTER_KEY, key.encode(), replace=True)
    return key


def read_current_mentions(store: ObjectStore) -> pl.DataFrame:
    """The mentions that were accepted last; empty when none were ever read."""
    try:
        key = store.read_bytes(MENTIONS_POINTER_KEY).decode()
    except ObjectMissing:
        return pl.DataFrame(schema=MENTIONS_SCHEMA)
    return pl.read_parquet(io.BytesIO(store.read_bytes(key)))


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
