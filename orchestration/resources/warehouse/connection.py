"""One connection to the lake, and patience with its lock.

The SQLite catalogue admits one writer at a time. Dagster's pool ``warehouse_write`` keeps runs apart; what still meets,
a reader during a commit or a second process, waits and tries again.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import duckdb

from orchestration.resources.warehouse.errors import WarehouseBusy
from orchestration.resources.warehouse.location import EXTENSIONS, LakeLocation

logger = logging.getLogger(__name__)

LAKE = "lake"
LOCK_WAIT_MS = 10_000
_ATTEMPTS = 7
_FIRST_PAUSE_S = 0.2

Result = TypeVar("Result")


@contextmanager
def connect(location: LakeLocation) -> Iterator[duckdb.DuckDBPyConnection]:
    """A fresh in-memory DuckDB with the lake attached as ``lake``; closed at the end.

    The time zone is UTC, and every timestamp of the lake is a plain timestamp in UTC.

    Raises:
        WarehouseBusy: The catalogue stayed locked.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "extension_directory": str(location.extension_folder),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    try:
        for extension in EXTENSIONS:
            connection.load_extension(extension)
        connection.execute("set timezone = 'UTC'")
        with_patience(lambda: connection.execute(attach_statement(location)))
        yield connection
    finally:
        connection.close()


def attach_statement(location: LakeLocation) -> str:
    """The ATTACH of the lake; ``dbt/profiles.yml`` gives the same options.

    A write-ahead journal lets readers go on while a writer commits. The data path is overridden by what we were told,
    because a home folder may be moved as a whole.
    """
    return (
        f"attach if not exists '{location.catalogue}' as {LAKE} (data_path '{location.data_folder}/', "
        f"override_data_path true, data_inlining_row_limit 0, "
        f"meta_journal_mode 'wal', meta_busy_timeout {LOCK_WAIT_MS})"
    )


def with_patience(action: Callable[[], Result], *, sleep: Callable[[float], None] = time.sleep) -> Result:
    """Do something that another writer may prevent, again and again with growing pauses of up to 13 s each.

    Args:
        action: Must leave nothing half done when it fails: a whole transaction, or a read.
        sleep: How to pass the time.

    Raises:
        WarehouseBusy: It was prevented every time.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return action()
        except duckdb.Error as error:
            if not is_lock_conflict(error):
                raise
            if attempt == _ATTEMPTS - 1:
                raise WarehouseBusy(
                    f"the lake's catalogue was locked through {_ATTEMPTS} attempts; look for a long writer: {error}"
                ) from error
            pause_s = _FIRST_PAUSE_S * 2**attempt * (0.5 + random.random() / 2)
            logger.warning(
                "the lake is busy, attempt %d of %d, waiting %.1f s: %s", attempt + 1, _ATTEMPTS, pause_s, error
            )
            sleep(pause_s)
    raise AssertionError("unreachable: the last attempt returns or raises")


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Everything inside becomes visible at once at the end, or not at all."""
    connection.execute("begin transaction")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        # A commit that failed has ended the transaction by itself.
        with suppress(duckdb.TransactionException):
            connection.execute("rollback")
        raise


def is_lock_conflict(error: duckdb.Error) -> bool:
    """Whether another writer was in the way, so that the same statement may succeed a moment later."""
    message = str(error).lower()
    return "database is locked" in message or "transaction conflict" in message
