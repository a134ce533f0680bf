"""Forecasts and back-tests in the object store: immutable objects named by day and content, and pointers to them."""

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


class BacktestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a back-test decided.

    Attributes:
        today: The day on which it stood.
        published: ``lightgbm`` or ``persistence-decay``.
        reason: Why.
        wape_total: Error of the sums over the horizon, by method; methods that were not scored are left out.
    """

    today: dt.date
    published: str
    reason: str
    wape_total: dict[str, float]


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


def store_forecast(store: ObjectStore, forecast: pl.DataFrame, today: dt.date) -> str:
    """Write a forecast under ``forecasts/<forecast_id>.parquet`` without pointing to it; returns its key."""
    buffer = io.BytesIO()
    forecast.write_parquet(buffer, compression="zstd")
    content = buffer.getvalue()
    key = f"{AREA}/{today.isoformat()}-{_digest(content)}.parquet"
    store.put_bytes(key, content)
    return key


def publish_forecast(store: ObjectStore, key: str) -> None:
    """Make a stored forecast the current one."""
    store.put_bytes(POINTER_KEY, key.encode(), replace=True)


def read_current_forecast(store: ObjectStore) -> tuple[str, pl.DataFrame]:
    """The current forecast and its id.

    Raises:
        ObjectMissing: No forecast was published yet.
    """
    key = store.read_bytes(POINTER_KEY).decode()
    return forecast_id_of(key), pl.read_parquet(io.BytesIO(store.read_bytes(key)))


def forecast_id_of(key: str) -> str:
    """The id of the forecast under a key."""
    return key.removeprefix(f"{AREA}/").removesuffix(".parquet")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
