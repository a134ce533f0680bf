from pathlib import Path

import dagster as dg
import pytest

from orchestration import taxonomy
from orchestration.demo.runs import STARTED_BY, JobRunner, RunFailed
from orchestration.edge.topology import read_network
from orchestration.instance import end_abandoned_runs, open_instance
from orchestration.settings import read_settings


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return open_instance(read_settings({"MATINEE_HOME": str(tmp_path)}), read_network())


@dg.asset(pool=taxonomy.POOL_ENCODE)
def encoded() -> None:
    return None


@dg.asset
def interrupted() -> None:
    raise KeyboardInterrupt


@dg.asset(check_specs=[dg.AssetCheckSpec("gate", asset="refused", blocking=True)])
def refused() -> dg.MaterializeResult:
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="gate", passed=False)])


def _runner(instance: dg.DagsterInstance, asset: dg.AssetsDefinition) -> JobRunner:
    job = dg.define_asset_job("job", [asset])
    return JobRunner(dg.Definitions(assets=[asset], jobs=[job]), instance)


def test_it_has_the_regions_and_the_limits(instance: dg.DagsterInstance) -> None:
    assert set(instance.get_dynamic_partitions("region")) == {region.region_id for region in read_network().regions}
    info = instance.event_log_storage.get_concurrency_info(taxonomy.POOL_WAREHOUSE_WRITE)
    assert info.slot_count == 1


def test_what_an_operator_wrote_is_kept(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = read_settings({"MATINEE_HOME": str(tmp_path)})
    configuration = settings.dagster_home / "dagster.yaml"
    configuration.write_text("telemetry:\n  enabled: false\n")
    open_instance(settings, read_network())
    assert configuration.read_text() == "telemetry:\n  enabled: false\n"


def test_a_killed_run_does_not_keep_its_slot(instance: dg.DagsterInstance) -> None:
    runner = _runner(instance, encoded)
    job = runner.definitions.resolve_job_def("job")
    dead = instance.create_run_for_job(job, tags=STARTED_BY, status=dg.DagsterRunStatus.STARTED)
    claim = instance.event_log_storage.claim_concurrency_slot(taxonomy.POOL_ENCODE, dead.run_id, "encoded")
    assert claim.is_claimed
    assert end_abandoned_runs(instance, STARTED_BY) == 1
    found = instance.get_run_by_id(dead.run_id)
    assert found is not None
    assert found.status == dg.DagsterRunStatus.FAILURE
    assert runner.run("job").success


def test_an_interrupted_run_is_an_interrupt_and_not_one_more_failure(instance: dg.DagsterInstance) -> None:
    with pytest.raises(KeyboardInterrupt):
        _runner(instance, interrupted).run("job")


def test_a_refusal_names_the_check_that_refused(instance: dg.DagsterInstance) -> None:
    with pytest.raises(RunFailed) as error:
        _runner(instance, refused).run("job")
    assert error.value.refused_by == ("refused: gate",)
