"""A dbt project of three models on a DuckDB file, run by real dbt through Dagster."""

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster_dbt import dbt_assets
from dbt.cli.main import dbtRunner

from orchestration.resources.dbt_runner import DbtFailed, DbtRunner, follow_dbt

FILES = {
    "dbt_project.yml": "name: little\nversion: '1.0.0'\nprofile: little\nmodel-paths: [models]\n",
    "profiles.yml": "little: {target: here, outputs: {here: {type: duckdb, path: \"{{ env_var('LITTLE') }}\"}}}\n",
    "models/base.sql": "select 1 as n",
    "models/fine.sql": "select n + 1 as n from {{ ref('base') }}",
    "models/slow.sql": "select sum(sin(a.range * b.range)) as n from range(2000) a, range(1000) b",
    "models/models.yml": "models: [{name: fine, columns: [{name: n, data_tests: [not_null]}]}]\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    monkeypatch.setenv("LITTLE", str(tmp_path / "little.duckdb"))
    return folder


def definitions(project: Path, tmp_path: Path) -> tuple[dg.AssetsDefinition, dict[str, DbtRunner]]:
    arguments = ["parse", "--project-dir", str(project), "--profiles-dir", str(project)]
    assert dbtRunner().invoke(arguments).success
    manifest = json.loads((project / "target" / "manifest.json").read_bytes())

    @dbt_assets(manifest=manifest, exclude="slow")
    def models(context: dg.AssetExecutionContext, dbt: DbtRunner) -> Iterator[Any]:
        yield from dbt.build(context, tmp_path / "target")

    return models, {"dbt": DbtRunner(project_folder=str(project), parsed_folder=str(project / "target"))}


def tables(tmp_path: Path) -> set[str]:
    with duckdb.connect(str(tmp_path / "little.duckdb")) as connection:
        return {name for (name,) in connection.execute("select table_name from information_schema.tables").fetchall()}


def test_models_and_tests_become_materialisations_and_checks(project: Path, tmp_path: Path) -> None:
    models, resources = definitions(project, tmp_path)
    result = dg.materialize([models], resources=resources)

    built = {event.asset_key for event in result.get_asset_materialization_events()}
    assert built == {dg.AssetKey("base"), dg.AssetKey("fine")}
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
    assert tables(tmp_path) == {"base", "fine"}  # and nobody holds the database any more


def test_only_what_the_run_selected_is_built(project: Path, tmp_path: Path) -> None:
    models, resources = definitions(project, tmp_path)
    dg.materialize([models], resources=resources, selection=["base"])

    assert tables(tmp_path) == {"base"}


def test_a_failure_is_told_in_dbts_words_and_the_rest_is_built(project: Path, tmp_path: Path) -> None:
    (project / "models" / "fine.sql").write_text("select nonsense from {{ ref('base') }}")
    models, resources = definitions(project, tmp_path)
    result = dg.materialize([models], resources=resources, raise_on_error=False)

    assert not result.success
    assert tables(tmp_path) == {"base"}
    with pytest.raises(DbtFailed, match="nonsense"):
        list(follow_dbt(build(project)))


def test_dbt_stops_when_nobody_follows_any_more(project: Path, tmp_path: Path) -> None:
    for number in range(20):
        shutil.copy(project / "models" / "slow.sql", project / "models" / f"slow_{number}.sql")
    events = follow_dbt([*build(project), "--select", "slow*"])
    next(events)
    events.close()

    assert len(tables(tmp_path)) < 21
    assert all("dbt" not in thread.name for thread in threading.enumerate())


def test_a_fault_around_dbt_is_told_and_nobody_waits_for_ever(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("dbt.adapters.factory.cleanup_connections", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        list(follow_dbt([*build(project), "--select", "base"]))


def build(project: Path) -> list[str]:
    return ["build", "--project-dir", str(project), "--profiles-dir", str(project)]
