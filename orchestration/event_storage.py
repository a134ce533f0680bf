"""Dagster's event log in SQLite with connections that are kept.

Dagster's own storage builds an engine and opens and closes the database for every event, which costs more than storing
it (``benchmarks/event_storage.py``); here each database keeps its engine. What is stored, and where, is Dagster's.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from dagster._core.events.log import EventLogEntry
    from dagster._serdes import ConfigurableClassData
    from sqlalchemy.engine import Connection, Engine

KEPT_DATABASES = 8
"""Every run has a database of its own; those of the last runs and the index stay open."""


class DagsterHomeUnset(Exception):
    """Dagster's folder is not known."""


class KeptSqliteEventLog(SqliteEventLogStorage):
    """The event log of a local installation; ``dagster.yaml`` names it."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure: the databases lie where Dagster's own storage keeps them."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> KeptSqliteEventLog:
        """Made from ``dagster.yaml``; below ``DAGSTER_HOME``, so that a home folder may be moved as a whole.

        Raises:
            DagsterHomeUnset: Nobody said where that is.
        """
        home = os.environ.get("DAGSTER_HOME")
        if not home:
            raise DagsterHomeUnset("set DAGSTER_HOME to the folder of dagster.yaml: the event log lies below it")
        return cls(str(Path(home).expanduser() / "history" / "runs"), inst_data)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event and let those know who follow its run."""
        super().store_event(event)
        # They watch the database's file, which a kept connection does not write to: events go to the journal beside it.
        os.utime(self.path_for_shard(event.run_id))

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        engine = self._engines.pop(shard, None) or self._open(shard)
        self._engines[shard] = engine  # the last used stands last
        while len(self._engines) > KEPT_DATABASES:
            _, oldest = self._engines.popitem(last=False)
            oldest.dispose()
        return engine

    def _open(self, shard: str) -> Engine:
        engine = create_engine(
            self.conn_string_for_shard(shard),
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        return engine

    def dispose(self) -> None:
        """Close every database."""
        self._close_databases()
        super().dispose()

    def wipe(self) -> None:
        """Forget everything."""
        self._close_databases()
        super().wipe()

    def _close_databases(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()
