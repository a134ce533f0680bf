"""The tracker on a real SQLite database: what is logged comes back, and the champion is what was promoted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml.tracking import CHALLENGER, GIT_COMMIT_TAG, ModelMissing, ModelSignature, Tracker, TrackingError

SIGNATURE = ModelSignature(inputs={"viewer_id": "string", "k": "long"}, outputs={"title_id": "string"})


@pytest.fixture(scope="module")
def tracker(tmp_path_factory) -> Tracker:
    home = tmp_path_factory.mktemp("mlflow")
    return Tracker(f"sqlite:///{home / 'tracking' / 'mlflow.db'}", home / "artifacts")


def register(tracker: Tracker, folder: Path, name: str, content: str, metric: float = 0.5):
    folder.mkdir(parents=True)
    (folder / "weights.txt").write_text(content)
    with tracker.run("tests", "a run") as run:
        run.log_parameters({"ridge": 2.0})
        run.log_metrics({"beside/recent popularity": metric})
        run.log_data("serving.srv_viewing", "abc123", "lake")
        run.log_plot("slices", b"\x89PNG")
        run.log_text("| a |", "tables/metrics.md")
        return tracker.register(run, name, folder, signature=SIGNATURE)


def test_versions_count_up_and_keep_what_their_run_logged(tracker, tmp_path):
    first = register(tracker, tmp_path / "1", "counting", "one")
    second = register(tracker, tmp_path / "2", "counting", "two", metric=0.75)
    assert (first.version, second.version) == (1, 2)
    assert second.metrics == {"beside/recent popularity": 0.75}
    assert second.data_id == "abc123"
    assert tracker.latest("counting") == second
    assert (tracker.model_folder("counting", 1) / "weights.txt").read_text() == "one"


def test_a_run_says_which_code_made_it_where_that_is_known(tracker):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=tracker.tracking_uri)
    for revision, noted in (("0123abc-dirty", "0123abc-dirty"), ("", None)):
        aware = Tracker(tracker.tracking_uri, tracker.artifact_folder, revision=lambda revision=revision: revision)
        with aware.run("tests", "of a revision") as run:
            pass
        assert client.get_run(run.run_id).data.tags.get(GIT_COMMIT_TAG) == noted


def test_the_signature_lies_beside_the_model(tracker, tmp_path):
    version = register(tracker, tmp_path / "1", "signed", "one")
    described = (tracker.model_folder("signed", version.version) / "MLmodel").read_text()
    assert "viewer_id" in described
    assert "title_id" in described


def test_nothing_is_champion_until_it_is_promoted(tracker, tmp_path):
    assert tracker.champion("crowned") is None
    assert tracker.latest("crowned") is None
    first = register(tracker, tmp_path / "1", "crowned", "one")
    assert tracker.champion("crowned") is None
    tracker.promote("crowned", first.version)
    register(tracker, tmp_path / "2", "crowned", "two")
    assert tracker.champion("crowned") == first


def test_a_rollback_goes_to_the_champion_before_and_another_one_back(tracker, tmp_path):
    versions = [register(tracker, tmp_path / str(number), "deposed", str(number)) for number in range(2)]
    tracker.promote("deposed", versions[0].version)
    tracker.promote("deposed", versions[0].version)
    with pytest.raises(ModelMissing, match="nothing to go back to"):
        tracker.roll_back("deposed")
    tracker.promote("deposed", versions[1].version)
    assert tracker.roll_back("deposed") == versions[0]
    assert tracker.champion("deposed") == versions[0]
    assert tracker.roll_back("deposed") == versions[1]


def test_a_trial_ends_when_the_champion_moves(tracker, tmp_path):
    versions = [register(tracker, tmp_path / str(number), "tried", str(number)) for number in range(2)]
    tracker.promote("tried", versions[0].version)
    assert tracker.aliased("tried", CHALLENGER) is None
    assert tracker.last_trial("tried") == ""
    tracker.try_beside_champion("tried", versions[1].version, experiment_id="autumn")
    assert tracker.aliased("tried", CHALLENGER) == versions[1]
    assert tracker.champion("tried") == versions[0]
    tracker.promote("tried", versions[1].version)
    assert tracker.aliased("tried", CHALLENGER) is None
    assert tracker.last_trial("tried") == "autumn", "it is over, and not to be begun again"
    with pytest.raises(ModelMissing, match="no version 9"):
        tracker.try_beside_champion("tried", 9, experiment_id="autumn")


def test_promoting_what_does_not_exist_is_refused(tracker):
    with pytest.raises(ModelMissing, match="no version 7 of nobody"):
        tracker.promote("nobody", 7)


def test_a_run_that_raises_is_marked_failed(tracker):
    with pytest.raises(RuntimeError), tracker.run("tests", "broken") as run:
        raise RuntimeError("training broke")
    assert tracker._client.get_run(run.run_id).info.status == "FAILED"


def test_a_file_store_is_refused_at_once(tmp_path):
    with pytest.raises(TrackingError, match="not a database"):
        Tracker(tmp_path.as_uri(), tmp_path)


def test_importing_the_module_does_not_import_mlflow():
    import subprocess
    import sys

    probe = "import sys, ml.tracking; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], check=False, cwd=Path(__file__).parents[3]).returncode == 0
