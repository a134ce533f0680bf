import os

from orchestration.defs.warehouse import project


def test_a_manifest_is_stale_once_a_source_is_newer(tmp_path, monkeypatch):
    model = tmp_path / "models" / "model.sql"
    model.parent.mkdir()
    model.write_text("select 1")
    manifest = tmp_path / "target" / "manifest.json"
    monkeypatch.setattr(project, "PROJECT_FOLDER", tmp_path)
    assert project.is_stale(manifest)

    manifest.parent.mkdir()
    manifest.write_text("{}")
    os.utime(model, (1_000, 1_000))
    assert not project.is_stale(manifest)

    os.utime(model, (manifest.stat().st_mtime + 10, manifest.stat().st_mtime + 10))
    assert project.is_stale(manifest)


def test_a_manifest_that_is_there_is_taken_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "manifest.json").write_text("{}")
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    monkeypatch.setattr(project, "dbt_executable", lambda: "/nowhere/dbt")

    assert project.prepared_manifest() == tmp_path / "manifest.json"


def test_variables_are_set_for_a_moment(monkeypatch):
    monkeypatch.setenv("MATINEE_LAKE_DATA", "before")
    monkeypatch.delenv("MATINEE_LAKE_CATALOGUE", raising=False)

    with project.environment_variables({"MATINEE_LAKE_DATA": "inside", "MATINEE_LAKE_CATALOGUE": "inside"}):
        assert os.environ["MATINEE_LAKE_DATA"] == "inside"

    assert os.environ["MATINEE_LAKE_DATA"] == "before"
    assert "MATINEE_LAKE_CATALOGUE" not in os.environ
