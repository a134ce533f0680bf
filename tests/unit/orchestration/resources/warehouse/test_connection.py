import duckdb
import pytest

from orchestration.resources.warehouse.connection import connect, transaction, with_patience
from orchestration.resources.warehouse.errors import WarehouseBusy
from orchestration.resources.warehouse.location import prepare_lake


def failing(times, error):
    """An action that fails so many times before it succeeds."""
    calls = iter([error] * times)

    def action():
        failure = next(calls, None)
        if failure is not None:
            raise failure
        return "done"

    return action


LOCKED = duckdb.IOException("IO Error: database is locked")


def test_waits_longer_and_longer_for_a_lock():
    pauses = []

    assert with_patience(failing(3, LOCKED), sleep=pauses.append) == "done"

    assert len(pauses) == 3
    assert pauses[2] > pauses[0]


def test_gives_up_at_last_and_says_why():
    with pytest.raises(WarehouseBusy, match="locked through 7 attempts"):
        with_patience(failing(100, LOCKED), sleep=lambda seconds: None)


def test_other_errors_are_not_tried_again():
    pauses = []

    with pytest.raises(duckdb.BinderException):
        with_patience(failing(1, duckdb.BinderException("no such column")), sleep=pauses.append)

    assert pauses == []


def test_a_failed_transaction_leaves_nothing_behind(tmp_path):
    with connect(prepare_lake(tmp_path)) as connection:
        connection.execute("create table lake.main.numbers (number integer)")

        def fail_half_way():
            with transaction(connection):
                connection.execute("insert into lake.main.numbers values (1)")
                connection.execute("insert into lake.main.no_such_table values (1)")

        with pytest.raises(duckdb.CatalogException):
            fail_half_way()

        assert connection.execute("select count(*) from lake.main.numbers").fetchone() == (0,)


def test_a_second_connection_reads_while_the_first_writes(tmp_path):
    location = prepare_lake(tmp_path)
    with connect(location) as writer, connect(location) as reader:
        writer.execute("create table lake.main.numbers as select 1 as number")
        with transaction(writer):
            writer.execute("insert into lake.main.numbers values (2)")
            assert reader.execute("select count(*) from lake.main.numbers").fetchone() == (1,)

        assert reader.execute("select count(*) from lake.main.numbers").fetchone() == (2,)


def test_a_moved_lake_is_read_where_it_is(tmp_path):
    with connect(prepare_lake(tmp_path / "before")) as connection:
        connection.execute("create table lake.main.numbers as select 7 as number")
    (tmp_path / "before").rename(tmp_path / "after")

    with connect(prepare_lake(tmp_path / "after")) as connection:
        assert connection.execute("from lake.main.numbers").fetchone() == (7,)
