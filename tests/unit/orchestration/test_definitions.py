"""The code location as a whole: it loads, it hangs together, and every asset is filed as the house asks."""

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from orchestration import automation, taxonomy
from orchestration.build import build_definitions
from orchestration.edge.topology import read_network
from orchestration.settings import read_settings

GOLDEN = Path(__file__).parents[2] / "contract" / "golden" / "asset_keys.txt"


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(read_settings({"MATINEE_HOME": str(tmp_path_factory.mktemp("home"))}))


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    return list(definitions.resolve_all_asset_specs())


def test_every_asset_has_group_owner_kinds_and_a_description(specs: list[dg.AssetSpec]) -> None:
    assert specs
    for spec in specs:
        name = spec.key.to_user_string()
        assert len(spec.key.path) == 2, name
        assert spec.group_name == spec.key.path[0], name
        assert spec.group_name in taxonomy.GROUPS, name
        assert set(spec.owners) == set(taxonomy.OWNERS[spec.group_name]), name
        assert 1 <= len(spec.kinds) <= 3, name
        assert spec.description, name
        assert len(spec.description) > 40, name


def test_every_group_of_the_loop_is_there(specs: list[dg.AssetSpec]) -> None:
    assert {spec.group_name for spec in specs} == set(taxonomy.GROUPS)


def test_no_asset_depends_on_something_that_nobody_makes(specs: list[dg.AssetSpec]) -> None:
    made = {spec.key for spec in specs}
    wanted = {dependency.asset_key for spec in specs for dependency in spec.deps}
    assert wanted <= made


def test_the_loop_is_one_graph_from_the_master_to_the_snapshot(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    snapshot = dg.AssetKey(["serving", "snapshot"])
    ancestors = graph.get_ancestor_asset_keys(snapshot)
    for path in (["media", "probe"], ["events", "heartbeats"], ["recommender", "top_n_model"], ["demand", "forecast"]):
        assert dg.AssetKey(path) in ancestors, path


def test_the_keys_are_those_that_others_rely_on(specs: list[dg.AssetSpec]) -> None:
    keys = sorted(spec.key.to_user_string() for spec in specs)
    assert keys == GOLDEN.read_text(encoding="utf-8").split(), "a key is a contract; change the golden with it"


def test_every_job_resolves(definitions: dg.Definitions) -> None:
    for job in automation.build_jobs():
        assert definitions.resolve_job_def(job.name).nodes


def test_each_region_plans_and_fills_by_its_own_clock() -> None:
    schedules = {schedule.name: schedule for schedule in automation.build_schedules()}
    for region in read_network().regions:
        suffix = region.region_id.replace("-", "_")
        fill, plan = schedules[f"fill_{suffix}"], schedules[f"plan_{suffix}"]
        assert fill.execution_timezone == plan.execution_timezone == region.time_zone
        assert fill.cron_schedule == f"0 {region.fill_start_hour} * * *"


@pytest.mark.parametrize(
    ("region_id", "local", "day"),
    [
        ("eu-north", "2026-11-22T01:00", "2026-11-22"),
        ("eu-north", "2026-07-22T01:00", "2026-07-22"),  # in summer, 23:00 UTC of the day before
        ("sa-east", "2026-11-22T01:00", "2026-11-22"),
        ("ap-south", "2026-11-22T01:00", "2026-11-22"),  # 19:30 UTC of the day before
    ],
)
def test_a_nightly_plan_is_for_the_day_that_it_serves(region_id: str, local: str, day: str) -> None:
    schedules = {schedule.name: schedule for schedule in automation.build_schedules()}
    planned_at = dt.datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(read_network().region(region_id).time_zone))
    context = dg.build_schedule_context(scheduled_execution_time=planned_at)
    request = schedules[f"plan_{region_id.replace('-', '_')}"](context)
    assert isinstance(request, dg.RunRequest)
    assert request.run_config == {"ops": {"edge__placement_plan": {"config": {"plan_from": day}}}}


def test_blocking_checks_guard_what_people_would_notice(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    blocking = {
        check.asset_key.to_user_string() for check in graph.asset_check_keys if graph.get_check_spec(check).blocking
    }
    assert {"media/package", "serving/snapshot_candidate", "edge/placement_plan", "demand/forecast"} <= blocking
