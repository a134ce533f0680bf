"""What follows for a version that has passed the gate, on a real registry."""

from __future__ import annotations

import pytest

from ml.tracking import CHALLENGER, ModelSignature, Tracker
from orchestration.defs.recommender.registry import TOP_N, accept_top_n, challenger_top_n

SIGNATURE = ModelSignature(inputs={"viewer_id": "string"}, outputs={"title_id": "string"})


@pytest.fixture
def tracker(tmp_path) -> Tracker:
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")
    for number in range(1, 6):
        folder = tmp_path / str(number)
        folder.mkdir()
        with tracker.run("tests", "top-n") as run:
            tracker.register(run, TOP_N, folder, signature=SIGNATURE)
    return tracker


def test_an_experiment_tries_one_version_and_the_next_experiment_another(tracker):
    assert accept_top_n(tracker, 1, trial="autumn") == "is the champion now"
    assert accept_top_n(tracker, 2, trial="autumn") == "is on trial beside the champion now"
    assert accept_top_n(tracker, 3, trial="autumn") == "waits, since version 2 is on trial"
    tracker.promote(TOP_N, 2)
    assert accept_top_n(tracker, 3, trial="autumn") == "is the champion now, the trial of autumn being over"
    assert tracker.aliased(TOP_N, CHALLENGER) is None

    assert accept_top_n(tracker, 4, trial="winter") == "is on trial beside the champion now"
    assert challenger_top_n(tracker, "spring") is None, "what winter tries is no business of spring"
    assert accept_top_n(tracker, 5, trial="spring") == "is on trial beside the champion now"
    assert tracker.aliased(TOP_N, CHALLENGER).version == 5
    assert tracker.champion(TOP_N).version == 3
