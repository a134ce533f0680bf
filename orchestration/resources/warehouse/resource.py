"""The lake as a Dagster resource: the one way in which Python reads and fills it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl

from orchestration.resources.warehouse.connection import LAKE, connect, transaction, with_patience
from orchestration.resources.warehouse.errors import WarehouseColumnsWrong, WarehouseError, WarehouseTableMissing
from orchestration.resources.warehouse.ingest import DEFAULT_CHUNK_ROWS, IngestReport, LogReader, ingest_events
from orchestration.resources.warehouse.location import LakeLocation, prepare_lake
from orchestration.resources.warehouse.maintenance import (
    DEFAULT_FILE_AGE,
    DEFAULT_SNAPSHOT_AGE,
    LakeSize,
    MaintenanceReport,
    maintain_lake,
    measure_lake,
)
from orchestration.resources.warehouse.raw_tables import SCHEMA, arrow_schema, create_raw_tables, qualified

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")


def _name_in(table: str, part: str) -> str:
    if not _IDENTIFIER.fullmatch(part):
        raise WarehouseError(f"{part!r} in the request for {table!r} is no name; ask for 'schema.table'")
    return part


class Warehouse(dg.ConfigurableResource):
    """The lake below one folder.

    Every call opens a connection of its own, so a resource may be used from any process and thread. Calls that write
    belong into assets of the pool ``warehouse_write``.
    """

    lake_folder: str

    def prepare(self) -> LakeLocation:
        """Make the lake with its raw tables where they are missing; what dbt needs to run."""
        with self.connection():
            return self._location()

    @contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with the lake attached as ``lake`` and all raw tables in place."""
        with connect(self._location()) as connection:
            with_patience(lambda: create_raw_tables(connection))
            yield connection

    def read(
        self, table: str, columns: Sequence[str] | None = None, *, days: tuple[dt.date, dt.date] | None = None
    ) -> pl.DataFrame:
        """A table of the lake.

        Args:
            table: With its schema, such as ``serving.srv_titles``.
            columns: Those that are needed; all when not given.
            days: First and last ``event_day`` that are needed; all when not given.

        Raises:
            WarehouseTableMissing: There is no such table yet.
            WarehouseColumnsWrong: It has no such column.
        """
        selected = ", ".join(f'"{_name_in(table, column)}"' for column in columns) if columns else "*"
        return (
            self._select(selected, table, "event_day between ? and ?", days) if days else self._select(selected, table)
        )

    def newest_day(self, table: str, until: dt.date) -> dt.date | None:
        """The newest ``event_day`` of a table that is not after a day; None when there is none.

        Raises:
            WarehouseTableMissing: There is no such table yet.
            WarehouseColumnsWrong: It has no days.
        """
        newest = self._select("max(event_day)", table, "event_day <= ?", (until,)).item()
        assert newest is None or isinstance(newest, dt.date)
        return newest

    def _select(
        self, selected: str, table: str, condition: str = "true", values: Sequence[object] = ()
    ) -> pl.DataFrame:
        schema, _, name = table.partition(".")
        source = f"{LAKE}.{_name_in(table, schema)}.{_name_in(table, name)}"
        query = f"select {selected} from {source} where {condition}"
        with self.connection() as connection:
            try:
                return with_patience(lambda: connection.execute(query, values).pl())
            except duckdb.CatalogException as error:
                raise WarehouseTableMissing(
                    f"the lake in {self.lake_folder} has no table {table}; materialise warehouse/{name} (or run "
                    f"`dbt build --select {name}`) first"
                ) from error
            except duckdb.BinderException as error:
                raise WarehouseColumnsWrong(f"{table} does not have the columns {selected}: {error}") from error

    def has_table(self, table: str) -> bool:
        """Whether the lake has a table or view of that name, such as ``serving.srv_titles``."""
        schema, _, name = table.partition(".")
        with self.connection() as connection:
            found = connection.execute(
                "select count(*) from information_schema.tables "
                "where table_catalog = ? and table_schema = ? and table_name = ?",
                [LAKE, schema, name],
            ).fetchone()
        return bool(found and found[0])

    def replace_raw(self, table: str, frame: pl.DataFrame) -> int:
        """Put a frame in the place of everything in a raw table, in one transaction; returns its rows.

        Args:
            table: Name without schema, such as ``titles``.
            frame: With exactly the table's columns, in any order.

        Raises:
            WarehouseColumnsWrong: Columns are missing or too many.
        """
        with self.connection() as connection:
            names = arrow_schema(connection, table).names
            if sorted(names) != sorted(frame.columns):
                missing, unknown = set(names) - set(frame.columns), set(frame.columns) - set(names)
                raise WarehouseColumnsWrong(
                    f"{SCHEMA}.{table}: missing columns {sorted(missing)}, unknown columns {sorted(unknown)}"
                )
            connection.register("incoming", frame.select(names).to_arrow())

            def replace() -> None:
                with transaction(connection):
                    connection.execute(f"delete from {qualified(table)}")
                    if frame.height:
                        connection.execute(f"insert into {qualified(table)} from incoming")

            with_patience(replace)
        return frame.height

    def ingest_events(self, reader: LogReader, *, chunk_rows: int = DEFAULT_CHUNK_ROWS) -> IngestReport:
        """Bring everything new of the event log into the raw tables; see ``ingest.ingest_events``."""
        with self.connection() as connection:
            return ingest_events(
                connection, reader, lock_path=Path(self.lake_folder) / ".ingest.lock", chunk_rows=chunk_rows
            )

    def size(self) -> LakeSize:
        """Tables, files, bytes and snapshots."""
        with self.connection() as connection:
            return measure_lake(connection)

    def maintain(
        self,
        *,
        now: dt.datetime | None = None,
        snapshot_age: dt.timedelta = DEFAULT_SNAPSHOT_AGE,
        file_age: dt.timedelta = DEFAULT_FILE_AGE,
    ) -> MaintenanceReport:
        """Merge small files, expire old snapshots and remove what nothing names any more."""
        with self.connection() as connection:
            return maintain_lake(
                connection, now=now or dt.datetime.now(dt.UTC), snapshot_age=snapshot_age, file_age=file_age
            )

    def _location(self) -> LakeLocation:
        return prepare_lake(Path(self.lake_folder))
