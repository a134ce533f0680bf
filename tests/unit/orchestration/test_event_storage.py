import queue
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from orchestration.edge.topology import read_network
from orchestration.event_storage import KEPT_DATABASES, DagsterHomeUnset, KeptSqliteEventLog
from orchestration.instance import open_instance
from orchestration.settings import read_settings

KEY = dg.AssetKey("counted")


@dg.asset(key=KEY, check_specs=[dg.AssetCheckSpec("positive", asset=KEY)])
def counted() -> dg.MaterializeResult:
    return dg.MaterializeResult(
        metadata={"rows": 3}, check_results=[dg.AssetCheckResult(check_name="positive", passed=True)]
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    return tmp_path


def open_anew(home: Path) -> dg.DagsterInstance:
    return open_instance(read_settings({"MATINEE_HOME": str(home)}), read_network())


def materialize(instance: dg.DagsterInstance) -> str:
    return dg.materialize([counted], instance=instance).run_id


def test_the_installation_uses_it_and_others_read_what_it_stored(home: Path) -> None:
    with open_anew(home) as instance:
        assert isinstance(instance.event_log_storage, KeptSqliteEventLog)
        run_id = materialize(instance)
        checks = instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(KEY, "positive"))
        assert checks is not None
    plain = SqliteEventLogStorage(str(home / "dagster" / "history" / "runs"))
    events = [entry.dagster_event for entry in plain.get_logs_for_run(run_id)]
    stored = [event.step_materialization_data for event in events if event and event.is_step_materialization]
    assert [data.materialization.metadata["rows"].value for data in stored] == [3]
    assert KEY in plain.all_asset_keys()


def test_what_another_process_stored_is_seen_at_once(home: Path) -> None:
    with open_anew(home) as reader, open_anew(home) as writer:
        assert reader.get_latest_materialization_event(KEY) is None
        run_id = materialize(writer)
        event = reader.get_latest_materialization_event(KEY)
        assert event is not None
        assert event.run_id == run_id
        assert reader.all_logs(run_id)


def test_who_follows_a_run_hears_of_events_of_another_process(home: Path) -> None:
    with open_anew(home) as reader, open_anew(home) as writer:
        run_id = materialize(writer)
        run = writer.get_run_by_id(run_id)
        heard: queue.Queue[str | None] = queue.Queue()
        last = reader.event_log_storage.get_records_for_run(run_id).cursor
        reader.watch_event_logs(run_id, last, lambda entry, _cursor: heard.put(entry.message))
        writer.report_engine_event("still here", run)

        assert heard.get(timeout=30) == "still here"


def test_a_folder_that_is_not_known_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(DagsterHomeUnset, match="set DAGSTER_HOME"):
        KeptSqliteEventLog.from_config_value(None, {})


def test_few_databases_stay_open_and_all_runs_stay_readable(home: Path) -> None:
    with open_anew(home) as instance:
        runs = [materialize(instance) for _ in range(KEPT_DATABASES + 2)]
        assert all(instance.all_logs(run_id) for run_id in runs)
        storage = instance.event_log_storage
        assert isinstance(storage, KeptSqliteEventLog)
        assert len(storage._engines) == KEPT_DATABASES
        storage.wipe()
        assert not instance.all_logs(runs[0])
        assert materialize(instance)
