import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from player_sdk.abr import AbrState, DownloadSample, QualityWeights
from player_sdk.abr.estimator import ThroughputEstimator, TransferEstimator
from player_sdk.abr.interface import linear_qualities, startup_rung
from player_sdk.abr.planner import rung_values
from player_sdk.abr.rate_belief import RateBelief, RateForecast
from player_sdk.abr.robust_mpc import best_first_rung

from player_sdk import BolaAbr, MarkovMpcAbr, RobustMpcAbr, ThroughputAbr

LADDER = (300e3, 750e3, 1200e3, 1850e3, 2850e3, 4300e3)
POLICIES = [ThroughputAbr, BolaAbr, RobustMpcAbr, MarkovMpcAbr]


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


@pytest.mark.parametrize("make", [ThroughputAbr, RobustMpcAbr, MarkovMpcAbr])
def test_a_fast_line_gets_the_top_and_a_slow_one_the_bottom(make):
    assert fed(make, *[40e6] * 5).choose(state(buffer_s=20.0)).rung == 5
    assert fed(make, *[250e3] * 5).choose(state(buffer_s=4.0)).rung == 0


def test_bola_follows_the_buffer_and_pauses_when_it_is_full():
    rungs = [BolaAbr().choose(state(buffer_s=level)).rung for level in (0.0, 10.0, 14.0, 18.0, 22.0)]
    assert rungs == sorted(rungs)
    assert (rungs[0], rungs[-1]) == (0, 5)
    assert BolaAbr().choose(state(buffer_s=30.0)).wait_s > 5.0


@settings(max_examples=40)
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


@settings(max_examples=40)
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


def forecast(rate_bps, *, spread=0.0, deviation=0.0, latency_s=0.0):
    return RateForecast(
        log_mean=math.log(rate_bps), log_spread=spread, deviation=deviation, persistence=0.8, latency_s=latency_s
    )


@settings(max_examples=40)
@given(throughput_bps=st.floats(2e5, 8e6), buffer_s=st.floats(0, 25), last_rung=st.integers(0, 5))
@example(throughput_bps=2e5, buffer_s=10.0, last_rung=0)
def test_on_a_steady_line_the_plan_is_the_best_of_all_plans(throughput_bps, buffer_s, last_rung):
    current = state(buffer_s=buffer_s, last_rung=last_rung, index=37)
    best, _ = exhaustive(current, throughput_bps, 3)
    values = rung_values(current, forecast(throughput_bps), cells=6000)  # finer than the kink that a stall makes
    assert max(values) == pytest.approx(best, abs=0.01)
    assert best_value_from(current, throughput_bps, int(values.argmax())) == pytest.approx(best, abs=0.02)


def test_a_line_that_swings_back_is_not_followed():
    """A dip that will pass is ridden out on the buffer; the same rate as a lasting one is not."""
    now_bps, now = 1.2e6, state(buffer_s=8.0, last_rung=3, index=10)
    swinging = forecast(now_bps * math.exp(0.4 * 1.9), spread=0.4, deviation=-1.9)
    passing, lasting = rung_values(now, swinging), rung_values(now, forecast(now_bps, spread=0.1))
    assert passing.argmax() == 3
    assert lasting.argmax() < 3


def test_the_belief_is_a_mean_a_spread_and_where_the_line_stands():
    belief = RateBelief()
    assert belief.forecast() is None
    for rate in [2e6, 4e6] * 20:
        belief.observe(sample(rate, latency_s=0.0))
    seen = belief.forecast()
    assert math.exp(seen.log_mean) == pytest.approx(math.sqrt(8e12), rel=0.02)
    assert seen.log_spread == pytest.approx(0.5 * math.log(2.0), rel=0.1)
    assert seen.deviation > 0.0, "the last one was fast"
    assert seen.next_rate_bps < 4e6, "and it will come back"
    for _ in range(3):
        belief.observe(sample(0.5e6, latency_s=0.0, abandoned=True))
    assert belief.forecast().next_rate_bps < seen.next_rate_bps / 2, "what was dropped counts"


def test_errors_make_the_default_careful():
    steady = fed(MarkovMpcAbr, *[3e6] * 8)
    wild = fed(MarkovMpcAbr, 1e6, 8e6, 1e6, 8e6, 3e6, 3e6, 3e6, 3e6)
    for level in (2.0, 5.0, 8.0, 12.0):
        assert wild.choose(state(buffer_s=level)).rung <= steady.choose(state(buffer_s=level)).rung


def test_a_download_that_will_not_make_it_is_dropped():
    policy = fed(MarkovMpcAbr, 4e6)
    now = state(buffer_s=1.0, last_rung=5)
    size = now.sizes_bytes[5][5]
    assert policy.abandon(now, 5, 0.05 * size, 1.0) == 0
    assert policy.abandon(now, 5, 0.9 * size, 1.0) is None, "nearly there"
    assert policy.abandon(now, 5, 0.05 * size, 0.25) is None, "too early to tell"
    assert policy.abandon(state(buffer_s=25.0, last_rung=5), 5, 0.05 * size, 1.0) is None, "the buffer can wait"
    assert policy.abandon(state(buffer_s=25.0, last_rung=5), 5, 0.0, 1.0) is None, "a pause is no outage"
    assert policy.abandon(state(buffer_s=1.0, last_rung=5), 5, 0.0, 20.0) == 0, "twenty seconds of it are"


@pytest.mark.parametrize(("buffer_s", "dropped_after_s"), [(4.0, 0.5), (8.0, 1.25), (12.0, 2.25), (20.0, 5.5)])
def test_the_fuller_the_buffer_the_longer_it_hopes_for_a_line_that_fell_to_a_tenth(buffer_s, dropped_after_s):
    policy = fed(MarkovMpcAbr, *[4e6] * 5)

    def drops(elapsed_s):
        now = state(buffer_s=buffer_s - elapsed_s, last_rung=5)
        return policy.abandon(now, 5, 0.4e6 / 8 * elapsed_s, elapsed_s) is not None

    assert next(elapsed_s for elapsed_s in (0.25 * n for n in range(1, 80)) if drops(elapsed_s)) == dropped_after_s


def test_however_a_film_is_cut_a_stall_and_a_switch_weigh_as_many_seconds_of_it():
    weights = QualityWeights()
    assert weights.for_segments_of(4.0) == weights
    for segment_s in (1.0, 2.0, 6.0):
        scaled = weights.for_segments_of(segment_s)
        assert scaled.rebuffer_weight * segment_s == pytest.approx(weights.rebuffer_weight * 4.0)
        assert scaled.switch_weight * segment_s == pytest.approx(weights.switch_weight * 4.0)


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
