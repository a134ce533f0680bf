import datetime as dt

import polars as pl
import pytest

from ml.placement import CANDIDATE, ORACLE, cost_forecast_errors, measure_edges, replay

PREFIX_BYTES = 5 + 300 + 20
"""Manifest, picture at 480p and sound of a title."""


def placed(*rows):
    names = ["edge_id", "title_id", "package_id", "rung", "segment_group"]
    return pl.DataFrame([("e1", title, "p1", rung, 0) for title, rung in rows], schema=names, orient="row")


def prefixes(*titles):
    return [(title, rung) for title in titles for rung in ("manifest", "480p", "audio-en")]


def forecast_of(**expected):
    rows = [(name.replace("_", "-"), *numbers) for name, numbers in expected.items()]
    return pl.DataFrame(rows, schema=["title_id", "sessions", "q10", "q90"], orient="row").cast(
        dict.fromkeys(("sessions", "q10", "q90"), pl.Float64)
    )


@pytest.fixture
def result(objects, edges_of, day):
    """Two viewers of t-00 and three of t-03; the plan, full to the brim, holds t-00 in two rungs and t-01."""
    noon = dt.datetime.combine(day, dt.time(12))
    requests = pl.DataFrame(
        [
            ("eu", title, "480p", 5.0, noon + dt.timedelta(minutes=minute))
            for minute, title in enumerate(["t-00", "t-00", "t-03", "t-03", "t-03"])
        ],
        schema=["region_id", "title_id", "rung", "seconds_watched", "started_at"],
        orient="row",
    )
    plan = placed(*prefixes("t-00", "t-01"), ("t-00", "240p"))
    return replay(
        {CANDIDATE: plan, ORACLE: placed(*prefixes("t-00", "t-03"))},
        requests,
        objects,
        edges_of(2 * PREFIX_BYTES + 100.0, reserve=0.0),
        region_id="eu",
        day=day,
        resident=placed(("t-01", "audio-en")),
    )


def test_an_edge_stands_between_pull_through_and_the_oracle(result):
    (row,) = measure_edges(result).iter_rows(named=True)
    assert row == {
        "edge_id": "e1", "sessions": 5, "earned_bytes": 2 * PREFIX_BYTES,
        "byte_hit_ratio": pytest.approx(2 / 5), "local_start_ratio": 2 / 5,
        "byte_hit_ratio_lru": pytest.approx(3 / 5), "local_start_ratio_lru": 3 / 5,
        "byte_hit_ratio_oracle": 1.0, "local_start_ratio_oracle": 1.0,
        "regret_bytes": 3 * PREFIX_BYTES, "regret_starts": 3,
    }  # fmt: skip


def test_bytes_are_charged_to_the_error_that_cost_them(result):
    costs = cost_forecast_errors(result, forecast_of(t_00=(2, 1, 3), t_01=(4, 2, 6), t_03=(1, 0, 2)))
    rows = {row["title_id"]: row for row in costs.iter_rows(named=True)}
    nothing = {"too_low_bytes": 0.0, "crowded_out_bytes": 0.0, "too_high_bytes": 0.0, "unwatched_bytes": 0.0}
    # of t-01 the sound was there already: nobody filled it for this day
    assert rows["t-01"].items() >= (nothing | {"too_high_bytes": PREFIX_BYTES - 20.0, "is_surprise": True}).items()
    assert rows["t-03"].items() >= (nothing | {"too_low_bytes": 3.0 * PREFIX_BYTES, "is_surprise": True}).items()
    assert rows["t-00"].items() >= (nothing | {"unwatched_bytes": 100.0, "is_surprise": False}).items()
    assert costs["title_id"].to_list() == ["t-03", "t-01", "t-00"], "the dearest first"


def test_a_title_that_was_foretold_and_not_placed_was_crowded_out(result):
    costs = cost_forecast_errors(result, forecast_of(t_00=(2, 1, 3), t_01=(4, 2, 6), t_03=(3, 1, 5)))
    assert costs.row(0, named=True).items() >= {
        "title_id": "t-03", "too_low_bytes": 0.0, "crowded_out_bytes": 3.0 * PREFIX_BYTES, "is_surprise": False,
    }.items()  # fmt: skip


def test_a_title_without_a_forecast_was_forecast_at_nothing(result):
    costs = cost_forecast_errors(result, forecast_of(t_01=(4, 2, 6)))
    by_title = dict(costs.select("title_id", "too_low_bytes").iter_rows())
    assert by_title["t-03"] == 3 * PREFIX_BYTES
