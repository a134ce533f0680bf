import numpy as np
import polars as pl

from ml.placement import GroupLayout, WatchThrough, learn_watch_through


def test_groups_are_reached_at_their_start():
    reached = GroupLayout().groups_reached(np.array([0.0, 8.0, 8.1, 28.0, 28.1, float("nan")]))
    assert reached.tolist() == [1, 1, 2, 2, 3, 1]


def test_the_curve_falls_and_short_titles_do_not_lower_it():
    sessions = pl.DataFrame(
        {"title_id": ["short"] * 1000 + ["long"] * 1000, "seconds_watched": [8.0] * 1000 + [68.0] * 1000}
    )
    groups = pl.DataFrame({"title_id": ["short", "long"], "groups": [1, 4]})
    reach = learn_watch_through(sessions, groups).reach
    assert len(reach) == 4
    assert reach[0] == 1.0
    assert (np.diff(reach) <= 0).all()
    assert reach[3] > 0.95


def test_without_sessions_a_prior_stands_in():
    empty = pl.DataFrame(
        {"title_id": [], "seconds_watched": []}, schema={"title_id": pl.String, "seconds_watched": pl.Float64}
    )
    curve = learn_watch_through(empty, pl.DataFrame({"title_id": ["a"], "groups": [3]}))
    assert curve.reach.tolist() == [1.0]
    assert curve.at(np.array([0, 1, 2])).tolist() == [1.0, 0.8, 0.8**2]


def test_longer_titles_go_on_at_the_rate_of_the_end():
    assert np.allclose(WatchThrough(reach=np.array([1.0, 0.5])).at(np.array([1, 2, 3])), [0.5, 0.25, 0.125])


def test_each_kind_has_its_own_curve_and_an_unknown_one_that_of_all():
    sessions = pl.DataFrame(
        {"title_id": ["film"] * 400 + ["show"] * 400, "seconds_watched": [68.0] * 400 + [20.0] * 400}
    )
    groups = pl.DataFrame({"title_id": ["film", "show"], "groups": [4, 4]})
    kinds = pl.DataFrame({"title_id": ["film", "show"], "kind": ["film", "series"]})
    curve = learn_watch_through(sessions, groups, kinds)
    last = np.array([3, 3, 3])
    film, series, other = curve.at(last, np.array(["film", "series", "live"], dtype=object))
    assert film > 0.9
    assert series < 0.1
    assert series < other < film
    assert other == curve.at(last)[0]
