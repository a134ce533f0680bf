import datetime as dt

import polars as pl
import pytest

from ml.placement import (
    BLOCK,
    CANDIDATE,
    LRU,
    ORACLE,
    RUNNING,
    PlacementInputError,
    ReplayResult,
    judge,
    learn_watch_through,
    plan,
    plan_from_truth,
    replay,
)
from ml.placement.lru import LeastRecentlyUsed
from ml.placement.objective import score
from ml.placement.replay import PAIRED_SCHEMA, TABLE_SCHEMA


def session(title, rung, seconds, at):
    return ("eu", title, rung, seconds, at)


def requests_of(*rows):
    return pl.DataFrame(
        rows,
        schema={
            "region_id": pl.String,
            "title_id": pl.String,
            "rung": pl.String,
            "seconds_watched": pl.Float64,
            "started_at": pl.Datetime,
        },
        orient="row",
    )


NOTHING = pl.DataFrame(
    schema={
        "edge_id": pl.String,
        "title_id": pl.String,
        "package_id": pl.String,
        "rung": pl.String,
        "segment_group": pl.Int64,
    }
)


def test_lru_keeps_what_was_asked_for_last():
    cache = LeastRecentlyUsed(100)
    assert [cache.ask(1, 60), cache.ask(2, 40), cache.ask(1, 60), cache.ask(3, 40), cache.ask(1, 60)] == [
        False, False, True, False, True,
    ]  # fmt: skip
    assert 2 not in cache
    assert not cache.ask(9, 101)
    assert 1 in cache


def test_one_session_by_hand(objects, edges_of, day):
    noon = dt.datetime.combine(day, dt.time(12))
    asked = requests_of(session("t-00", "480p", 20.0, noon), session("t-00", "480p", 5.0, noon + dt.timedelta(hours=1)))
    placed = NOTHING.vstack(
        pl.DataFrame(
            {"edge_id": ["e1"], "title_id": ["t-00"], "package_id": ["p1"], "rung": ["480p"], "segment_group": [0]}
        )
    )
    result = replay({CANDIDATE: placed}, asked, objects, edges_of(10_000.0, reserve=0.05), region_id="eu", day=day)
    # manifest 5, prefix 300, second group 600, audio 20 and 20; then manifest, prefix and audio again from the reserve
    assert result.metric(LRU, "upstream_bytes") == 5 + 300 + 600 + 40
    assert result.metric(LRU, "local_start_ratio") == 0.5
    assert result.metric(CANDIDATE, "upstream_bytes") == 5 + 600 + 40
    assert result.metric(CANDIDATE, "local_start_ratio") == 1.0
    assert result.metric(CANDIDATE, "fill_bytes") == 300
    # the first session's misses are the worst hour's, for the region and for its only edge
    assert result.metric(CANDIDATE, "peak_upstream_bps") == (5 + 600 + 40) * 8 / 3600
    # the first session gains 300 of its 945 bytes, the second none of its 325: what another two sessions might not
    (gain,) = result.compared_with(LRU).filter(pl.col("measure") == "byte_hit_ratio").iter_rows(named=True)
    assert (gain["candidate"], gain["beside"]) == (625 / 1270, 325 / 1270)
    assert gain["standard_error"] == pytest.approx((2 * 2) ** 0.5 * (300 - 300 / 1270 * 945) / 1270)
    assert (gain["low"], gain["high"]) == pytest.approx(
        (300 / 1270 - 2 * gain["standard_error"], 300 / 1270 + 2 * gain["standard_error"])
    )
    edge = result.by_edge.filter(pl.col("placement") == CANDIDATE).row(0, named=True)
    assert edge.items() >= {"local_start_ratio": 1.0, "peak_upstream_bps": (5 + 600 + 40) * 8 / 3600}.items()


def test_what_a_plan_leaves_free_pulls_through_as_on_a_real_edge(objects, edges_of, day):
    noon = dt.datetime.combine(day, dt.time(12))
    twice = requests_of(*(session("t-00", "480p", 20.0, noon + dt.timedelta(hours=hour)) for hour in (0, 1)))
    whole = replay({CANDIDATE: NOTHING}, twice, objects, edges_of(10_000.0, reserve=0.05), region_id="eu", day=day)
    # a plan of nothing is pull-through alone, though 600 bytes are more than the reserve of 500
    assert whole.metric(CANDIDATE, "upstream_bytes") == whole.metric(LRU, "upstream_bytes") == 5 + 300 + 600 + 40


def test_a_good_plan_passes_and_a_bad_one_is_refused(objects, demand, rung_mix, edges_of, requests, day):
    edges = edges_of(10_000.0, 10_000.0)
    good = plan(objects, demand, rung_mix, edges, region_id="eu").rows
    bad = plan(objects, demand.with_columns(pl.col("sessions").reverse()), rung_mix, edges, region_id="eu").rows
    result = replay({CANDIDATE: good, RUNNING: bad}, requests, objects, edges, region_id="eu", day=day)
    assert result.sessions == 400
    assert result.metric(CANDIDATE, "byte_hit_ratio") > result.metric(RUNNING, "byte_hit_ratio")
    assert judge(result).accepted
    verdict = judge(replay({CANDIDATE: bad, RUNNING: good}, requests, objects, edges, region_id="eu", day=day))
    assert not verdict.accepted
    assert verdict.beside == RUNNING
    assert "worse than what runs" in verdict.reason


def compared(byte_hit_ratio, local_start_ratio, error):
    """A replay of a candidate with these measures beside a running plan of 0.5 and 0.6."""
    pairs = {
        "score": (score(byte_hit_ratio, local_start_ratio), score(0.5, 0.6)),
        "byte_hit_ratio": (byte_hit_ratio, 0.5),
        "local_start_ratio": (local_start_ratio, 0.6),
    }
    rows = [(RUNNING, measure, new, old, new - old, error) for measure, (new, old) in pairs.items()]
    table = pl.DataFrame({"placement": [RUNNING]}).match_to_schema(TABLE_SCHEMA, missing_columns="insert")
    paired = pl.DataFrame(rows, schema=PAIRED_SCHEMA, orient="row")
    nothing = pl.DataFrame()
    return ReplayResult(table=table, by_edge=nothing, by_title=nothing, sessions=100, sampled_share=1.0, paired=paired)


@pytest.mark.parametrize(
    ("byte_hit_ratio", "local_start_ratio", "error", "worse_in"),
    [
        (0.50, 0.60, 0.0, ""),
        (0.49, 0.61, 0.0, ""),
        (0.45, 0.90, 0.0, "byte hit ratio"),
        (0.80, 0.55, 0.0, "local starts"),
        (0.49, 0.585, 0.0, "score"),
        (0.49, 0.585, 0.01, "score"),
        (0.80, 0.55, 0.024, "local starts"),
        (0.80, 0.55, 0.026, ""),
        (0.30, 0.60, 0.026, "score and byte hit ratio"),
    ],
)
def test_neither_measure_is_sold_for_the_other_and_chance_is_no_harm(
    byte_hit_ratio, local_start_ratio, error, worse_in
):
    verdict = judge(compared(byte_hit_ratio, local_start_ratio, error))
    assert verdict.accepted == (not worse_in)
    assert f"worse than what runs (running) in {worse_in}: " in verdict.reason or verdict.accepted
    starts = local_start_ratio - 0.6
    assert f"({starts:+.4f}, {starts - 2 * error:+.4f} to {starts + 2 * error:+.4f})" in verdict.reason


def test_a_worse_plan_is_refused_by_few_sessions_too_though_they_tell_less(
    objects, demand, rung_mix, edges_of, requests, day
):
    edges = edges_of(10_000.0)
    good = plan(objects, demand, rung_mix, edges, region_id="eu").rows
    hot = demand.sort("sessions", descending=True)["title_id"][2]
    without = plan(objects, demand.filter(pl.col("title_id") != hot), rung_mix, edges, region_id="eu").rows

    def replayed(sessions):
        result = replay({CANDIDATE: without, RUNNING: good}, sessions, objects, edges, region_id="eu", day=day)
        return judge(result), result.compared_with(RUNNING)["standard_error"].to_list()

    many, narrow = replayed(requests)
    few, wide = replayed(requests.sort("started_at").gather_every(20))
    assert not many.accepted
    assert not few.accepted
    assert wide[0] > 2 * narrow[0]


def test_a_running_plan_for_an_edge_that_is_gone_counts_only_where_edges_stand(
    objects, demand, rung_mix, edges_of, requests, day
):
    both, one = edges_of(10_000.0, 10_000.0), edges_of(10_000.0)
    old = plan(objects, demand, rung_mix, both, region_id="eu").rows
    assert set(old["edge_id"]) > set(one["edge_id"])
    made = plan(objects, demand, rung_mix, one, old.select("edge_id", *BLOCK), region_id="eu")
    assert set(made.rows["edge_id"]) == set(one["edge_id"])
    result = replay({CANDIDATE: made.rows, RUNNING: old}, requests, objects, one, region_id="eu", day=day)
    remaining = replay(
        {CANDIDATE: made.rows, RUNNING: old.filter(pl.col("edge_id").is_in(one["edge_id"].implode()))},
        requests, objects, one, region_id="eu", day=day,
    )  # fmt: skip
    assert result.table.equals(remaining.table)
    assert result.metric(CANDIDATE, "score") > result.metric(RUNNING, "score")


def test_without_a_running_plan_lru_is_what_runs(objects, demand, rung_mix, edges_of, requests, day):
    edges = edges_of(10_000.0, 10_000.0)
    bad = plan(objects, demand.with_columns(pl.col("sessions").reverse()), rung_mix, edges, region_id="eu").rows
    verdict = judge(replay({CANDIDATE: bad}, requests, objects, edges, region_id="eu", day=day))
    assert verdict.beside == LRU
    assert not verdict.accepted


def test_the_oracle_is_at_least_as_good(objects, demand, rung_mix, edges_of, requests, day):
    edges = edges_of(10_000.0)
    groups = objects.group_by("title_id").agg((pl.col("segment_group").max() + 1).alias("groups"))
    curve = learn_watch_through(requests, groups)
    truth = plan_from_truth(objects, requests, rung_mix, edges, region_id="eu", day=day, watch_through=curve)
    stale = plan(objects, demand.with_columns(pl.col("sessions").reverse()), rung_mix, edges, region_id="eu")
    result = replay({CANDIDATE: stale.rows, ORACLE: truth.rows}, requests, objects, edges, region_id="eu", day=day)
    assert result.metric(ORACLE, "score") > result.metric(CANDIDATE, "score")
    assert result.metric(ORACLE, "score") > result.metric(LRU, "score")


def test_large_days_are_sampled_and_it_is_said(objects, demand, rung_mix, edges, requests, day):
    rows = plan(objects, demand, rung_mix, edges, region_id="eu").rows
    result = replay({CANDIDATE: rows}, requests, objects, edges, region_id="eu", day=day, max_sessions=100)
    assert result.sampled_share == 0.25
    assert result.metric(CANDIDATE, "sessions") == 100
    assert "seed" in result.notes[0]
    again = replay({CANDIDATE: rows}, requests, objects, edges, region_id="eu", day=day, max_sessions=100)
    assert again.table.equals(result.table)


def test_a_plan_larger_than_the_edge_is_an_error(objects, demand, rung_mix, edges_of, requests, day):
    rows = plan(objects, demand, rung_mix, edges_of(20_000.0), region_id="eu").rows
    with pytest.raises(PlacementInputError, match="make it again"):
        replay({CANDIDATE: rows}, requests, objects, edges_of(5_000.0), region_id="eu", day=day)


def test_without_sessions_a_first_plan_passes_and_a_running_one_stays(objects, demand, rung_mix, edges, requests, day):
    rows = plan(objects, demand, rung_mix, edges, region_id="eu").rows
    first = judge(replay({CANDIDATE: rows}, requests.head(0), objects, edges, region_id="eu", day=day))
    assert first.accepted
    second = judge(replay({CANDIDATE: rows, RUNNING: rows}, requests.head(0), objects, edges, region_id="eu", day=day))
    assert not second.accepted


def test_sessions_of_unknown_titles_are_counted(objects, edges, day):
    noon = dt.datetime.combine(day, dt.time(12))
    asked = requests_of(session("gone", "480p", 20.0, noon), session("t-01", None, 20.0, noon))
    result = replay({CANDIDATE: NOTHING}, asked, objects, edges, region_id="eu", day=day)
    assert result.sessions == 1
    assert "1 of 2 sessions" in result.notes[0]


def test_resident_blocks_cost_no_fill(objects, demand, rung_mix, edges, requests, day):
    rows = plan(objects, demand, rung_mix, edges, region_id="eu").rows
    resident = rows.select("edge_id", *BLOCK)
    result = replay({CANDIDATE: rows}, requests, objects, edges, region_id="eu", day=day, resident=resident)
    assert result.metric(CANDIDATE, "fill_bytes") == 0
