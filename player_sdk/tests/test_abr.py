import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from player_sdk.abr import AbrState, DownloadSample
from player_sdk.abr.estimator import ThroughputEstimator, TransferEstimator
from player_sdk.abr.interface import linear_qualities, startup_rung
from player_sdk.abr.robust_mpc import best_first_rung
from player_sdk.abr.scenario_mpc import plan_values

from player_sdk import BolaAbr, RobustMpcAbr, ScenarioMpcAbr, ThroughputAbr

LADDER = (300e3, 750e3, 1200e3, 1850e3, 2850e3, 4300e3)
POLICIES = [ThroughputAbr, BolaAbr, RobustMpcAbr, ScenarioMpcAbr]


def state(*, buffer_s=10.0, last_rung=2, index=5, count=40, ladder=LADDER, segment_s=4.0, wish=None):
    return AbrState(
        segment_index=index,
        segment_count=count,
        segment_duration_s=segment_s,
        bitrates_bps=ladder,
        sizes_bytes=[[rate * segment_s / 8 for rate in ladder]] * count,
        qualities=linear_qualities(ladder),
        buffer_s=buffer_s,
        buffer_max_s=30.0,
        last_rung=last_rung,
        startup_bitrate_bps=wish,
    )


def sample(throughput_bps, *, rung=2, duration_s=2.0, **more):
    return DownloadSample(rung=rung, size_bytes=throughput_bps * duration_s / 8, duration_s=duration_s, **more)


def fed(make, *rates):
    policy = make()
    for rate in rates:
        policy.choose(state())
        policy.observe(sample(rate))
    return policy


@pytest.mark.parametrize("make", POLICIES)
def test_every_policy_starts_low_or_where_the_server_wishes(make):
    assert make().choose(state(last_rung=-1, buffer_s=0.0, index=0)).rung == 0
    assert make().choose(state(last_rung=-1, buffer_s=0.0, index=0, wish=1.9e6)).rung == 3


@pytest.mark.parametrize("make", [ThroughputAbr, RobustMpcAbr, ScenarioMpcAbr])
def test_a_fast_line_gets_the_top_and_a_slow_one_the_bottom(make):
    assert fed(make, *[40e6] * 5).choose(state(buffer_s=20.0)).rung == 5
    assert fed(make, *[250e3] * 5).choose(state(buffer_s=4.0)).rung == 0


def test_bola_follows_the_buffer_and_pauses_when_it_is_full():
    rungs = [BolaAbr().choose(state(buffer_s=level)).rung for level in (0.0, 10.0, 14.0, 18.0, 22.0)]
    assert rungs == sorted(rungs)
    assert (rungs[0], rungs[-1]) == (0, 5)
    assert BolaAbr().choose(state(buffer_s=30.0)).wait_s > 5.0


@settings(max_examples=40, deadline=None)
@given(
    rates=st.lists(st.floats(5e4, 5e7), max_size=6),
    buffer_s=st.floats(0, 60),
    last_rung=st.integers(-1, 5),
    index=st.integers(0, 39),
)
def test_a_decision_is_always_on_the_ladder(rates, buffer_s, last_rung, index):
    for make in POLICIES:
        decision = fed(make, *rates).choose(state(buffer_s=buffer_s, last_rung=last_rung, index=index))
        assert 0 <= decision.rung < len(LADDER)
        assert decision.wait_s >= 0.0


def exhaustive(current, throughput_bps, horizon):
    """Every plan, one after the other."""
    best = (float("-inf"), 0)
    qualities = current.qualities

    def extend(depth, buffer_s, previous, value, first):
        nonlocal best
        if depth == horizon or current.segment_index + depth == current.segment_count:
            best = max(best, (value, -first))
            return
        for rung, size in enumerate(current.sizes_bytes[current.segment_index + depth]):
            left_s = buffer_s - size * 8 / throughput_bps
            gain = qualities[rung] - abs(qualities[rung] - qualities[previous]) + 4.3 * min(0.0, left_s)
            extend(depth + 1, max(0.0, left_s) + 4.0, rung, value + gain, rung if depth == 0 else first)

    extend(0, current.buffer_s, current.last_rung, 0.0, 0)
    return best


@settings(max_examples=40, deadline=None)
@given(
    throughput_bps=st.floats(2e5, 8e6),
    buffer_s=st.floats(0, 25),
    last_rung=st.integers(0, 5),
    index=st.integers(30, 39),
)
def test_branch_and_bound_finds_what_exhaustive_search_finds(throughput_bps, buffer_s, last_rung, index):
    current = state(buffer_s=buffer_s, last_rung=last_rung, index=index)
    value, _ = exhaustive(current, throughput_bps, 3)
    rung = best_first_rung(current, throughput_bps, 3)
    forced = state(buffer_s=buffer_s, last_rung=last_rung, index=index)
    assert best_value_from(forced, throughput_bps, rung) == pytest.approx(value)


def best_value_from(current, throughput_bps, first):
    """The best plan that begins with a given rung."""
    horizon = min(3, current.segment_count - current.segment_index)
    left_s = current.buffer_s - current.sizes_bytes[current.segment_index][first] * 8 / throughput_bps
    qualities = current.qualities
    gain = qualities[first] - abs(qualities[first] - qualities[current.last_rung]) + 4.3 * min(0.0, left_s)
    if horizon == 1:
        return gain
    rest = state(buffer_s=max(0.0, left_s) + 4.0, last_rung=first, index=current.segment_index + 1)
    return gain + exhaustive(rest, throughput_bps, horizon - 1)[0]


@settings(max_examples=40, deadline=None)
@given(throughput_bps=st.floats(2e5, 8e6), buffer_s=st.floats(0, 25), last_rung=st.integers(0, 5))
def test_plans_with_one_switch_are_worth_no_more_than_the_best_of_all(throughput_bps, buffer_s, last_rung):
    current = state(buffer_s=buffer_s, last_rung=last_rung, index=36)
    values = plan_values(current, throughput_bps, 0.0, 3, 0.0)
    assert max(values) <= exhaustive(current, throughput_bps, 3)[0] + 1e-9


def test_errors_make_the_default_careful():
    steady = fed(ScenarioMpcAbr, *[3e6] * 8)
    wild = fed(ScenarioMpcAbr, 1e6, 8e6, 1e6, 8e6, 3e6, 3e6, 3e6, 3e6)
    for level in (2.0, 5.0, 8.0, 12.0):
        assert wild.choose(state(buffer_s=level)).rung <= steady.choose(state(buffer_s=level)).rung


def test_a_download_that_will_not_make_it_is_dropped():
    policy = fed(ScenarioMpcAbr, 4e6)
    now = state(buffer_s=1.0, last_rung=5)
    size = now.sizes_bytes[5][5]
    assert policy.abandon(now, 5, 0.05 * size, 1.0) == 0
    assert policy.abandon(now, 5, 0.9 * size, 1.0) is None, "nearly there"
    assert policy.abandon(now, 5, 0.05 * size, 0.25) is None, "too early to tell"
    assert policy.abandon(state(buffer_s=25.0, last_rung=5), 5, 0.05 * size, 1.0) is None, "the buffer can wait"


def test_what_was_dropped_counts_for_the_estimate():
    estimator = TransferEstimator()
    estimator.observe(sample(8e6))
    before_bps = estimator.rate_bps()
    estimator.observe(sample(0.5e6, abandoned=True))
    assert estimator.rate_bps() < 0.6 * before_bps


def test_estimates_know_harmonic_means_and_latency():
    harmonic = ThroughputEstimator()
    assert harmonic.estimate_bps() is None
    for rate in (1e6, 4e6):
        harmonic.observe(sample(rate))
    assert harmonic.estimate_bps() == pytest.approx(1.6e6)
    transfer = TransferEstimator()
    transfer.observe(DownloadSample(rung=0, size_bytes=100_000, duration_s=0.5, latency_s=0.3))
    assert transfer.rate_bps() == pytest.approx(4e6)
    assert transfer.latency_s() == pytest.approx(0.3)


@pytest.mark.parametrize("make", [ThroughputEstimator, TransferEstimator])
def test_an_edges_own_disk_says_nothing_about_the_next_miss(make):
    def estimate(*samples):
        one = make()
        for item in samples:
            one.observe(item)
        return one.estimate_bps() if make is ThroughputEstimator else one.rate_bps()

    miss, hit = sample(2e6, from_cache=False), sample(30e6, from_cache=True)
    assert estimate(miss, hit, hit) == pytest.approx(estimate(miss))
    assert estimate(hit, hit) > 20e6, "hits alone are what there is"
    near = sample(3e6, from_cache=True)
    assert estimate(miss, near) > estimate(miss), "hits that are not much faster count"


def test_the_nearest_rung_to_a_wish_is_nearest_by_ratio():
    assert startup_rung(state(wish=900e3)) == 1
    assert startup_rung(state(wish=1)) == 0
    assert startup_rung(state(wish=1e9)) == 5
