"""What the tests of several stages make of the lake."""

from collections.abc import Callable

import polars as pl
import pytest

from orchestration.resources.warehouse import Warehouse


@pytest.fixture(scope="session")
def put_table() -> Callable[[Warehouse, str, pl.DataFrame], None]:
    """Makes or replaces a table of the lake, such as ``serving.srv_titles``."""

    def put(warehouse: Warehouse, table: str, frame: pl.DataFrame) -> None:
        schema, name = table.split(".")
        with warehouse.connection() as connection:
            connection.register("frame", frame.to_arrow())
            connection.execute(f"create schema if not exists lake.{schema}")
            connection.execute(f"create or replace table lake.{schema}.{name} as select * from frame")

    return put
