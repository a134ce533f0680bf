import datetime as dt
from collections import Counter

import numpy as np
import polars as pl
import pytest

from orchestration.sample import SampleWorldError, make_traces, plan_wave

AT = dt.datetime(2026, 5, 14, 18, 0, tzinfo=dt.UTC)
TRACES = make_traces(1)


def plan(world, durations_s, count=2000, seed=1, **changes):
    return plan_wave(world, count, seed, changes.pop("at", AT), durations_s=durations_s, traces=TRACES, **changes)


@pytest.fixture(scope="module")
def wave(world, durations_s):
    return plan(world, durations_s)


def test_sessions_are_of_viewers_as_they_are(world, wave):
    viewers = {row["viewer_id"]: row for row in world.viewers.to_dicts()}
    for session in wave:
        viewer = viewers[session.viewer_id]
        assert (session.region_id, session.device, session.network_class) == (
            viewer["region_id"], viewer["device"], viewer["network_class"],
        )  # fmt: skip
        assert session.trace_id.startswith(session.network_class)


def test_they_start_in_order_within_the_wave(wave, durations_s):
    starts = [session.starts_at for session in wave]

    assert starts == sorted(starts)
    assert starts[0] >= AT
    assert starts[-1] <= AT + dt.timedelta(hours=1)
    assert all(1.0 <= session.watch_s <= durations_s[session.title_id] for session in wave)


def test_titles_follow_the_true_demand_of_the_day(world, wave):
    wanted = Counter(session.title_id for session in wave)
    expected = world.expected_demand(AT.date()).group_by("title_id", maintain_order=True).agg(pl.col("sessions").sum())

    counts = [wanted[title_id] for title_id in expected["title_id"]]
    assert np.corrcoef(counts, expected["sessions"].to_numpy())[0, 1] > 0.8


def test_a_wave_goes_on_where_the_history_ended(world, durations_s):
    """Viewers who forgot what they had seen would all want the same few titles again."""
    today = world.window.start + dt.timedelta(days=world.window.days, hours=18)
    viewing = world.viewing()
    last_week = viewing.title[viewing.started_s > (world.window.days - 7) * 86_400.0]
    past = np.sort(np.bincount(last_week, minlength=len(world.titles)))[::-1] / len(last_week)
    wanted = Counter(session.title_id for session in plan(world, durations_s, 4000, at=today))

    share_of_top = sum(count for _, count in wanted.most_common(10)) / 4000
    assert share_of_top == pytest.approx(past[:10].sum(), rel=0.15)


def test_a_debut_of_the_day_is_wanted_and_tomorrows_is_not(world, durations_s):
    releases = world.titles.filter(pl.col("release_date") > AT.date())
    later = releases.row(0, named=True)
    debut = dt.datetime.combine(later["release_date"], dt.time(18), dt.UTC)

    def wanted(at):
        return sum(session.title_id == later["title_id"] for session in plan(world, durations_s, 4000, at=at))

    assert wanted(AT) == 0
    assert wanted(debut) > 0


def test_the_plan_comes_from_its_seed(world, durations_s):
    assert plan(world, durations_s, 50) == plan(world, durations_s, 50)
    assert plan(world, durations_s, 50) != plan(world, durations_s, 50, seed=2)


def test_only_what_has_media_is_planned(world, durations_s):
    few = dict(list(durations_s.items())[:5])

    assert {session.title_id for session in plan(world, few, 100)} <= set(few)
    with pytest.raises(SampleWorldError, match="no title"):
        plan(world, {}, 5)


def test_where_it_is_night_few_watch(world, durations_s):
    night_in_india = plan(world, durations_s, at=dt.datetime(2026, 5, 14, 22, 30, tzinfo=dt.UTC))
    evening_in_india = plan(world, durations_s, at=dt.datetime(2026, 5, 14, 15, 0, tzinfo=dt.UTC))

    def indians(wave):
        return sum(session.region_id == "ap-south" for session in wave)

    assert indians(evening_in_india) > 3 * indians(night_in_india)
