import polars as pl
import pytest

from ml.experiments import unbalanced_experiments


def arms(*members, experiment_id="e"):
    """A row an arm and measure, as the mart has them."""
    rows = [
        {"experiment_id": experiment_id, "arm": arm, "metric": metric, "share": share, "viewers_assigned": viewers}
        for arm, share, viewers in members
        for metric in ("plays", "watch_hours")
    ]
    return pl.DataFrame(rows)


def test_an_experiment_that_lost_viewers_of_one_arm_is_named():
    sound = arms(("a", 0.5, 5030), ("b", 0.5, 4970), experiment_id="sound")
    lossy = arms(("a", 0.5, 5200), ("b", 0.5, 4800), experiment_id="lossy")
    # 10,000 viewers, 200 from the middle: chi squared of 16 with one degree of freedom
    assert unbalanced_experiments(pl.concat([sound, lossy])) == {"lossy": pytest.approx(6.33e-5, rel=1e-3)}


def test_shares_need_not_be_equal():
    assert unbalanced_experiments(arms(("a", 0.9, 9010), ("b", 0.1, 990))) == {}
    assert "e" in unbalanced_experiments(arms(("a", 0.9, 5000), ("b", 0.1, 5000)))


def test_an_experiment_that_nobody_came_to_is_not_suspicious():
    assert unbalanced_experiments(arms(("a", 0.5, 0), ("b", 0.5, 0))) == {}
