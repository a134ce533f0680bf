"""Sessions of the real player on a virtual clock, with figures that can be worked out by hand."""

import asyncio
import random

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from player_sdk.abr import Decision
from player_sdk.simulation import simulate
from player_sdk.testing import FakeEdge, FakeOrigin, FakeTitle, fake_player

from player_sdk import (
    Ended,
    Link,
    PathwayLink,
    PathwaySwitched,
    Paused,
    PlaybackSettings,
    Player,
    PlayerError,
    RequestFailed,
    Resumed,
    SegmentAbandoned,
    SegmentDownloaded,
    Sought,
    Stalled,
    Started,
    Switched,
    ThroughputAbr,
    TitleNotFound,
    Viewer,
)

ONE_RUNG = FakeTitle(duration_s=12.0, ladder={"240p": 800_000}, audio_bps=0)


class AlwaysRung:
    """A policy without a will."""

    def __init__(self, rung=0, lower=None):
        self.rung, self.lower, self.samples = rung, lower, []

    def choose(self, state):
        return Decision(rung=self.rung)

    def observe(self, sample):
        self.samples.append(sample)

    def abandon(self, state, rung, received_bytes, elapsed_s):
        return self.lower


def play(origin, *, title_id="film", watch_s=None, patience_s=None, start_s=None, max_height=None, **player):
    """One session; returns its events (the report is in the last) and the clock's seconds at its end."""

    async def run():
        async with fake_player(origin, **player) as one:
            session = await one.play(title_id, start_s=start_s, max_height=max_height)
            events = [event async for event in session.events(watch_s, patience_s=patience_s)]
            return events, one.clock.now()

    return asyncio.run(run())


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def media_bytes(title, *paths):
    return sum(len(title.resource(path)[0]) for path in paths)


def test_startup_is_the_sum_of_its_requests():
    title = FakeTitle(ladder={"240p": 400_000})
    events, _ = play(FakeOrigin([title]), link=Link.constant(8e6, latency_s=0.1))
    needed = ["p/1/master.m3u8", "p/1/240p.m3u8", "p/1/audio-en.m3u8"]
    needed += [f"r/{rung}/{name}" for rung in ("240p", "audio-en") for name in ("init.mp4", "seg-00001.m4s")]
    expected_s = len(needed) * 0.1 + media_bytes(title, *needed) / 1e6
    assert of(Started, events) == [Started(startup_s=pytest.approx(expected_s), rung="240p")]


def test_a_line_of_half_the_bit_rate_stalls_for_as_long_as_it_plays():
    events, end_s = play(FakeOrigin([ONE_RUNG]), link=Link.constant(400_000), beats=None)
    report = events[-1].report
    assert [(stall.position_s, stall.duration_s) for stall in of(Stalled, events)] == [
        (4.0, pytest.approx(4.0)),
        (8.0, pytest.approx(4.0)),
    ]
    assert (report.played_s, report.rebuffer_s, report.stalls) == (pytest.approx(12.0), pytest.approx(8.0), 2)
    assert report.rebuffer_ratio == pytest.approx(0.4)
    assert report.mean_bitrate_bps == pytest.approx(800_000)
    assert end_s == pytest.approx(report.startup_s + 12.0 + 8.0)
    assert report.end_reason == "completed"


def test_a_fast_line_never_stalls_and_the_buffer_stays_bounded():
    events, end_s = play(FakeOrigin([FakeTitle(duration_s=120.0)]), settings=PlaybackSettings(buffer_max_s=20.0))
    report = events[-1].report
    assert report.rebuffer_s == 0.0
    assert end_s == pytest.approx(report.startup_s + 120.0)
    levels = [event.buffer_s for event in of(SegmentDownloaded, events)]
    assert 15.0 < max(levels) <= 24.0  # the bound, and the segment asked for just below it


def test_a_viewer_who_stops_has_watched_exactly_so_much():
    events, end_s = play(FakeOrigin(), watch_s=9.5)
    report = events[-1].report
    assert (report.played_s, report.end_reason) == (pytest.approx(9.5), "stopped")
    assert report.startup_s + 9.5 <= end_s < report.startup_s + 9.5 + 0.3, "within a piece of a download"


def test_a_viewer_without_patience_leaves_before_the_first_frame():
    origin = FakeOrigin()
    events, end_s = play(origin, link=Link.constant(1000, latency_s=0.5), patience_s=3.0)
    report = events[-1].report
    assert (report.startup_s, report.played_s, report.end_reason) == (None, 0.0, "abandoned")
    assert 3.0 <= end_s < 3.5
    assert [(beat.kind, beat.end_reason, beat.startup_s) for beat in origin.beats] == [("end", "abandoned", None)]


def test_a_rung_that_ends_a_little_before_the_first_one_ends_the_title():
    class Ragged(FakeTitle):
        def _media_playlist(self, rung):
            text = super()._media_playlist(rung)
            return text.replace("#EXTINF:3.000000", "#EXTINF:2.900000") if rung == "480p" else text

    class Climbing(AlwaysRung):
        def choose(self, state):
            return Decision(rung=min(1, state.segment_index))

    def fault(request):
        assert len(origin.requests) < 200, "it plays for ever"

    origin = FakeOrigin([Ragged(duration_s=11.0, ladder={"240p": 400_000, "480p": 800_000}, audio_bps=0)], fault=fault)
    report = play(origin, abr=Climbing)[0][-1].report
    assert (report.end_reason, report.played_s) == ("completed", pytest.approx(10.9))


def test_a_viewer_who_leaves_while_requests_fail_has_left_and_did_not_see_a_failure():
    down = FakeOrigin(fault=lambda request: httpx.Response(503) if "/media/" in request.url.path else None)
    events, end_s = play(down, patience_s=3.0, link=Link.constant(1e6, latency_s=1.0))
    assert events[-1].report.end_reason == "abandoned"
    assert 3.0 <= end_s < 8.0
    asked = [path for path in down.paths() if "/media/" in path]
    assert len(asked) < 6

    async def stop_at_first_failure():
        def fault(request):
            if not request.url.path.endswith("seg-00003.m4s"):
                return None
            session.stop()
            return httpx.Response(503)

        async with fake_player(FakeOrigin(fault=fault)) as player:
            session = await player.play("film")
            return await session.watch()

    report = asyncio.run(stop_at_first_failure())
    assert report.end_reason == "stopped"
    assert sum(error.startswith("http-503") for error in report.errors) == 1


def test_playback_resumes_where_the_server_says_or_the_caller_wants():
    events, _ = play(FakeOrigin(plan={"resume_position_s": 21.0}))
    assert of(SegmentDownloaded, events)[0].index == 5
    assert events[-1].report.played_s == pytest.approx(19.0)
    events, _ = play(FakeOrigin(plan={"resume_position_s": 21.0}), start_s=0.0)
    assert events[-1].report.played_s == pytest.approx(40.0)
    events, _ = play(FakeOrigin(plan={"resume_position_s": 40.0}))
    assert events[-1].report.played_s == pytest.approx(40.0), "a title seen to its end starts over"


def test_the_ladder_is_cut_to_device_and_wish():
    def rungs(**kwargs):
        events, _ = play(FakeOrigin(), abr=lambda: AlwaysRung(9), link=Link.constant(1e9), **kwargs)
        return {event.rung for event in of(SegmentDownloaded, events) if event.kind == "video"}

    assert rungs() == {"1080p"}
    assert rungs(viewer=Viewer(viewer_id="v-1", region_id="r", device="mobile")) == {"720p"}
    assert rungs(max_height=500) == {"480p"}
    assert rungs(max_height=100) == {"240p"}


def test_the_first_rung_follows_the_servers_wish():
    events, _ = play(FakeOrigin(plan={"startup_bitrate_bps": 2_700_000}))
    assert of(Started, events)[0].rung == "720p"


def test_dash_plays_like_hls():
    hls, _ = play(FakeOrigin(), abr=AlwaysRung)
    dash, _ = play(FakeOrigin(), abr=AlwaysRung, settings=PlaybackSettings(protocol="dash"))
    pick = [(event.kind, event.index, event.rung, event.size_bytes) for event in of(SegmentDownloaded, hls)]
    assert pick == [(event.kind, event.index, event.rung, event.size_bytes) for event in of(SegmentDownloaded, dash)]
    assert dash[-1].report.played_s == pytest.approx(40.0)


@pytest.mark.parametrize("path", ["media/film/p/1/master.m3u8", "/media/film/p/1/master.m3u8"])
@pytest.mark.parametrize("base_url", ["http://edge-1.test", "http://edge-1.test/"])
def test_paths_and_base_urls_join_with_or_without_slashes(path, base_url):
    pathways = [{"pathway_id": "edge-1", "base_url": base_url}]
    events, _ = play(FakeOrigin(plan={"hls_path": path, "pathways": pathways}))
    assert (events[-1].report.end_reason, events[-1].report.errors) == ("completed", [])


def test_an_edge_that_goes_down_is_left_in_the_middle_of_a_segment_list():
    events, _ = play(
        FakeOrigin([FakeTitle(duration_s=120.0)]),
        pathways={"edge-1.test": PathwayLink(outages=((20.0, 1e6),), connect_timeout_s=2.0)},
        settings=PlaybackSettings(steering_after_s=1e6),
    )
    report = events[-1].report
    assert of(PathwaySwitched, events) == [PathwaySwitched(old_id="edge-1", new_id="origin", reason="failure")]
    assert len(of(RequestFailed, events)) == 1
    assert report.pathways == ["edge-1", "origin"]
    assert (report.played_s, report.rebuffer_s, report.end_reason) == (pytest.approx(120.0), 0.0, "completed")
    indices = [event.index for event in of(SegmentDownloaded, events) if event.kind == "video"]
    assert indices == list(range(30)), "nothing is loaded twice or left out"


@pytest.mark.parametrize("answer", [404, 500, 503])
def test_one_bad_answer_costs_one_request(answer):
    once = iter([answer])

    def fault(request):
        if request.url.path.endswith("seg-00003.m4s") and request.url.host == "edge-1.test":
            return next((httpx.Response(status) for status in once), None)
        return None

    events, _ = play(FakeOrigin(fault=fault))
    assert [event.code for event in of(RequestFailed, events)] == [f"http-{answer}"]
    assert events[-1].report.end_reason == "completed"
    assert events[-1].report.errors == [f"http-{answer}: {of(RequestFailed, events)[0].message}"]


def test_when_nothing_answers_the_session_fails_after_its_retries():
    origin = FakeOrigin(fault=lambda request: httpx.Response(500) if "/media/" in request.url.path else None)
    events, end_s = play(origin)
    report = events[-1].report
    assert isinstance(events[-1], Ended)
    assert (report.end_reason, report.startup_s) == ("failed", None)
    assert len(of(RequestFailed, events)) == 6
    assert report.errors[-1].endswith("answered 500 (the last of 6 requests)")
    assert 1.0 < end_s < 60.0, "it waited between rounds, and not for ever"
    kinds = [beat.kind for beat in origin.beats]
    assert kinds == ["error", "end"]
    assert origin.beats[0].errors[-1].fatal
    assert sum(error.fatal for beat in origin.beats for error in beat.errors) == 1


@pytest.mark.parametrize("edges", [("edge-1",), ("edge-1", "edge-2", "origin")])
def test_an_address_that_names_nothing_is_asked_for_once_on_each_pathway(edges):
    missing = FakeOrigin(
        edges=dict.fromkeys(edges),
        fault=lambda request: httpx.Response(404) if request.url.path.endswith("master.m3u8") else None,
    )
    events, end_s = play(missing)
    assert [event.pathway_id for event in of(RequestFailed, events)] == list(edges)
    assert events[-1].report.end_reason == "failed"
    assert "master.m3u8 answered 404" in events[-1].report.errors[-1]
    assert end_s < 1.0, "nothing was waited for"


def test_what_is_not_there_yet_is_asked_for_again_where_something_was():
    late = iter([404, 404])

    def fault(request):
        if request.url.path.endswith("seg-00003.m4s"):
            return next((httpx.Response(status) for status in late), None)
        return None

    events, _ = play(FakeOrigin(edges={"only": None}, fault=fault))
    assert [event.code for event in of(RequestFailed, events)] == ["http-404", "http-404"]
    assert events[-1].report.end_reason == "completed"


def test_a_broken_manifest_fails_the_session_and_not_the_caller():
    def fault(request):
        return httpx.Response(200, content=b"<html>") if request.url.path.endswith("240p.m3u8") else None

    events, _ = play(FakeOrigin(fault=fault))
    assert events[-1].report.end_reason == "failed"
    assert "240p.m3u8: not an HLS playlist" in events[-1].report.errors[0]


def test_an_abandoned_download_is_counted_and_asked_for_lower():
    policy = AlwaysRung(rung=3, lower=1)
    events, _ = play(FakeOrigin(), abr=lambda: policy, link=Link.constant(4e6))
    report = events[-1].report
    dropped = of(SegmentAbandoned, events)
    assert len(dropped) == 10
    assert {event.rung for event in dropped} == {"1080p"}
    assert all(event.duration_s == pytest.approx(0.25) for event in dropped)
    assert {event.rung for event in of(SegmentDownloaded, events) if event.kind == "video"} == {"480p"}
    assert report.switches == 0, "a rung that was never shown is no switch"
    assert [sample.abandoned for sample in policy.samples[:2]] == [True, False]
    assert report.size_bytes > 10 * (600_000 + 125_000 * 0.9)


def test_placed_cached_and_missed_bytes_are_told_apart():
    edge = FakeEdge(placed=lambda path: "/r/240p/" in path, upstream_s=0.3)
    edge.pulled.add("/media/film/r/audio-en/seg-00001.m4s")
    origin = FakeOrigin(edges={"edge-1": edge})
    events, _ = play(origin, abr=AlwaysRung)
    report = events[-1].report
    assert report.first_segment_local is True
    assert report.size_bytes_placed == 800 + 10 * 200_000
    assert report.size_bytes_cached == 50_000
    deliveries = [delivery for beat in origin.beats for delivery in beat.deliveries]
    assert sum(delivery.size_bytes for delivery in deliveries) == report.size_bytes
    assert sum(delivery.size_bytes_placed for delivery in deliveries) == report.size_bytes_placed
    assert sum(delivery.size_bytes_cached for delivery in deliveries) == report.size_bytes_cached
    assert sum(delivery.requests_placed for delivery in deliveries) == 11
    assert sum(delivery.requests_cached for delivery in deliveries) == 1
    assert sum(delivery.requests for delivery in deliveries) == len(origin.paths("edge-1.test"))


def test_the_way_to_the_upstream_is_paid_on_the_first_visit_only():
    origin = FakeOrigin(edges={"edge-1": FakeEdge(upstream_s=0.5)})
    first, _ = play(origin, abr=AlwaysRung)
    second, _ = play(origin, abr=AlwaysRung)
    saved_s = first[-1].report.startup_s - second[-1].report.startup_s
    assert saved_s == pytest.approx(7 * 0.5)
    assert (first[-1].report.first_segment_local, second[-1].report.first_segment_local) == (False, True)


def test_an_origin_says_nothing_about_caches():
    events, _ = play(FakeOrigin(edges={"origin": None}))
    assert events[-1].report.first_segment_local is None


def test_leaving_the_loop_ends_the_session_when_the_player_closes():
    origin = FakeOrigin()

    async def run():
        async with fake_player(origin) as player:
            session = await player.play("film")
            async for event in session.events():
                if isinstance(event, SegmentDownloaded) and event.index == 2:
                    break
        return session.report

    report = asyncio.run(run())
    assert report.end_reason == "stopped"
    assert origin.beats[-1].end_reason == "stopped"
    assert sum(beat.kind == "end" for beat in origin.beats) == 1


def test_a_session_can_be_stopped_from_outside_and_plays_once():
    async def run():
        async with fake_player(FakeOrigin()) as player:
            session = await player.play("film")
            async for event in session.events():
                if isinstance(event, Started):
                    session.stop()
            with pytest.raises(PlayerError, match="once"):
                await session.watch()
            return session.report

    assert asyncio.run(run()).end_reason == "stopped"


def test_an_unknown_title_raises():
    with pytest.raises(TitleNotFound, match="no title nothing"):
        play(FakeOrigin(), title_id="nothing")


def test_what_one_session_measured_helps_the_next():
    origin = FakeOrigin()

    async def run():
        async with fake_player(origin) as player:
            for _ in range(2):
                await (await player.play("film")).watch(watch_s=8.0)

    asyncio.run(run())
    wishes = [msgspec.json.decode(r.content) for r in origin.requests if r.url.path == "/v1/playback/sessions"]
    assert "throughput_bps" not in wishes[0]
    assert wishes[1]["throughput_bps"] == pytest.approx(10e6, rel=0.1)


def test_cmcd_is_sent_when_wanted():
    origin = FakeOrigin()
    play(origin, settings=PlaybackSettings(cmcd=True))
    request = next(r for r in origin.requests if r.url.path.endswith("240p/seg-00001.m4s"))
    assert request.headers["CMCD-Object"] == "br=400,d=4000,ot=v,tb=5000"
    assert 'sid="session-1"' in request.headers["CMCD-Session"]
    assert "su" in request.headers["CMCD-Request"].split(",")


def test_any_url_plays_without_an_api():
    async def run():
        async with Player(transport=FakeOrigin(), clock=fake_player(FakeOrigin()).clock) as player:
            with pytest.raises(PlayerError, match="api_url"):
                await player.home()
            with pytest.raises(PlayerError, match="absolute"):
                player.open_url("film.m3u8")
            return await player.open_url("http://origin.test/media/film/p/1/master.m3u8").watch()

    report = asyncio.run(run())
    assert (report.title_id, report.end_reason, report.beats_sent) == ("master.m3u8", "completed", 0)


def flaky(seed):
    rng = random.Random(seed)
    return lambda request: httpx.Response(502) if "/media/" in request.url.path and rng.random() < 0.15 else None


def test_the_same_seed_gives_the_same_session():
    def once(seed):
        events, end_s = play(
            FakeOrigin([FakeTitle(duration_s=60.0)], fault=flaky(1)), link=Link([(5, 3e6), (5, 4e5)]), seed=seed
        )
        return msgspec.json.encode(events[-1].report), end_s

    assert once(7) == once(7)


@settings(max_examples=40)
@given(
    trace=st.lists(st.tuples(st.floats(0.5, 15), st.floats(1e5, 2e7)), min_size=1, max_size=6),
    latency_s=st.floats(0, 0.4),
    fault_seed=st.none() | st.integers(0, 99),
    watch_s=st.none() | st.floats(1, 60),
)
def test_time_and_heartbeats_add_up_on_any_line(trace, latency_s, fault_seed, watch_s):
    origin = FakeOrigin(fault=flaky(fault_seed) if fault_seed is not None else None)
    events, end_s = play(origin, link=Link(trace, latency_s=latency_s), watch_s=watch_s)
    report, beats = events[-1].report, origin.beats
    assert [beat.seq for beat in beats] == list(range(len(beats)))
    assert sum(beat.startup_s is not None for beat in beats) == (report.startup_s is not None)
    assert sum(run.played_s for beat in beats for run in beat.runs) == pytest.approx(report.played_s, abs=1e-6)
    assert sum(stall.duration_s for beat in beats for stall in beat.stalls) == pytest.approx(
        report.rebuffer_s, abs=1e-6
    )
    assert sum(beat.switches for beat in beats) == report.switches
    assert sum(d.size_bytes for beat in beats for d in beat.deliveries) == report.size_bytes
    assert [beat.end_reason for beat in beats if beat.end_reason] == [report.end_reason]
    if report.startup_s is not None:
        if report.end_reason != "stopped":
            assert end_s == pytest.approx(report.startup_s + report.played_s + report.rebuffer_s, abs=1e-5)
        if report.end_reason != "failed":
            assert report.played_s == pytest.approx(min(watch_s or 40.0, 40.0), abs=1e-6)
    assert len(of(Switched, events)) >= report.switches


def test_the_policy_learns_who_had_the_bytes():
    policy = AlwaysRung()
    play(FakeOrigin(edges={"edge-1": FakeEdge(placed=lambda path: "seg-00002" in path)}), abr=lambda: policy)
    assert [sample.from_cache for sample in policy.samples[:3]] == [False, True, False]


def test_references_play_too():
    events, _ = play(FakeOrigin(), abr=ThroughputAbr)
    assert events[-1].report.end_reason == "completed"


def test_a_prepared_session_starts_at_once_and_loads_nothing_twice():
    origin = FakeOrigin()

    async def run():
        async with fake_player(origin, link=Link.constant(2e7, latency_s=0.1)) as player:
            session = await player.play("film")
            await session.prepare()
            ready_s = player.clock.now()
            await player.clock.sleep(60.0)
            events = [event async for event in session.events()]
            return ready_s, events

    ready_s, events = asyncio.run(run())
    report = events[-1].report
    assert ready_s > 0.5
    assert of(Started, events)[0].startup_s == pytest.approx(0.0, abs=1e-9)
    assert (report.end_reason, report.played_s, report.rebuffer_s) == ("completed", pytest.approx(40.0), 0.0)
    media = [path for path in origin.paths("edge-1.test") if path.endswith(".m4s")]
    assert len(media) == len(set(media))


@pytest.mark.parametrize(("seek_s", "played_s"), [(None, 10.0), (20.0, 10.0), (32.0, 8.0)])
def test_a_prepared_session_can_be_sent_elsewhere_and_ends_when_the_viewer_stops(seek_s, played_s):
    async def run():
        async with fake_player(FakeOrigin(), link=Link.constant(2e7, latency_s=0.1)) as player:
            session = await player.play("film")
            await session.prepare()
            if seek_s is not None:
                session.seek(seek_s)
            return [event async for event in session.events(10.0)]

    events = asyncio.run(run())
    report = events[-1].report
    assert report.played_s == pytest.approx(played_s)
    assert report.rebuffer_s == 0.0
    assert (report.startup_s > 0.1) == (seek_s is not None), "start-up is the first frame at the place that is wanted"
    assert len(of(Started, events)) == 1


def test_the_buffer_is_bounded_in_bytes():
    events, _ = play(FakeOrigin([ONE_RUNG]), settings=PlaybackSettings(buffer_max_bytes=500_000))
    assert max(event.buffer_s for event in of(SegmentDownloaded, events)) <= 8.0
    assert events[-1].report.rebuffer_s == 0.0


COLLECTOR = PlaybackSettings(cmcd_events_url="http://api.test/cmcd")


def play_with_collector(*answers, steps=()):
    """A session and the lines of each report that its collector got; it answers in turn, the last one for ever."""
    reports, left = [], list(answers)

    def fault(request):
        if request.url.path != "/cmcd":
            return None
        assert request.headers["content-type"] == "application/cmcd"
        reports.append(request.content.decode().splitlines())
        return httpx.Response(left.pop(0) if len(left) > 1 else left[0])

    events, _ = drive(FakeOrigin(fault=fault), steps, settings=COLLECTOR, link=Link([(6, 4e6), (12, 2e5)]))
    return events, reports


def test_cmcd_events_tell_states_bit_rates_and_answers():
    events, reports = play_with_collector(204)
    lines = [line for report in reports for line in report]
    states = [line.split("sta=")[1][0] for line in lines if ",e=ps," in line]
    assert states[0] == "s"
    assert states[-1] == "e"
    assert states.count("r") == events[-1].report.stalls > 0
    assert sum(",e=rr," in line for line in lines) > len(of(SegmentDownloaded, events))
    assert any(",e=bc," in line for line in lines)
    assert any(",e=t," in line for line in lines)
    times = [int(line.split("ts=")[1].split(",")[0]) for line in lines]
    assert times == sorted(times)


def test_cmcd_events_tell_a_pause_and_a_seek():
    _, reports = play_with_collector(
        204, steps=[(1.0, lambda one: one.seek(12.0)), (14.0, lambda one: one.pause(30.0))]
    )
    changes = [line for report in reports for line in report if ",e=ps," in line]
    states = "".join(line.split("sta=")[1][0] for line in changes)
    assert "pap" in states, "playing, paused, playing"
    assert "kp" in states, "seeking, playing"
    times_ms = [int(line.split("ts=")[1].split(",")[0]) for line in changes]
    at = states.index("pap") + 1
    assert times_ms[at + 1] - times_ms[at] == pytest.approx(30_000, abs=1)


def test_a_collector_that_fails_gets_all_of_it_later_and_one_that_is_gone_nothing_more():
    _, whole = play_with_collector(204)
    _, late = play_with_collector(503, 503, 204)
    assert late[2][: len(late[0])] == late[0], "what was not taken comes again, first"
    assert sorted(line for report in late[2:] for line in report) == sorted(line for report in whole for line in report)
    _, gone = play_with_collector(410)
    assert len(gone) == 1


def drive(origin, steps, *, watch_s=None, **player):
    """Play, and let the viewer do something when a number of seconds of media has been reached."""
    left = list(steps)

    async def run():
        async with fake_player(origin, **player) as one:
            session = await one.play("film")
            events = []
            async for event in session.events(watch_s):
                events.append(event)
                while left and session.position_s >= left[0][0]:
                    left.pop(0)[1](session)
            return events, one.clock.now()

    return asyncio.run(run())


def test_a_pause_holds_the_picture_and_is_no_stall():
    origin = FakeOrigin([FakeTitle(duration_s=60.0)])
    plain, plain_s = drive(origin, [], settings=PlaybackSettings(buffer_max_s=8.0))
    events, end_s = drive(origin, [(10.0, lambda one: one.pause(30.0))], settings=PlaybackSettings(buffer_max_s=8.0))
    report = events[-1].report
    assert [type(event) for event in events if isinstance(event, Paused | Resumed)] == [Paused, Resumed]
    assert report.end_reason == "completed"
    assert report.rebuffer_s == 0.0
    assert report.played_s == pytest.approx(60.0)
    assert end_s - plain_s == pytest.approx(30.0)
    assert "pause" in {beat.kind for beat in origin.beats}
    assert plain[-1].report.played_s == pytest.approx(report.played_s)


def test_a_pause_ends_a_stall():
    """The viewer holds the picture while the line is out: that time is the viewer's, not the line's."""
    link = Link([(10.0, 4e6), (40.0, 0.0), (1000.0, 4e6)])
    settings = PlaybackSettings(buffer_max_s=8.0)
    title = FakeTitle(duration_s=60.0, ladder={"240p": 800_000})

    def run(steps):
        return drive(FakeOrigin([title]), steps, link=link, settings=settings)[0][-1].report

    assert run([]).rebuffer_s > 20.0
    assert run([(4.0, lambda one: one.pause(60.0))]).rebuffer_s == 0.0


@pytest.mark.parametrize("target_s", [2.0, 100.0, 1000.0])
def test_a_seek_goes_on_elsewhere_and_is_no_stall(target_s):
    origin = FakeOrigin([FakeTitle(duration_s=120.0)])
    events, _ = drive(origin, [(20.0, lambda one: one.seek(target_s))], link=Link.constant(40e6))
    sought = [event for event in events if isinstance(event, Sought)]
    report = events[-1].report
    assert len(sought) == 1
    landed_s = min(target_s, 119.0)
    assert sought[0].new_position_s == pytest.approx(landed_s)
    assert report.played_s == pytest.approx(sought[0].old_position_s + 120.0 - landed_s, abs=0.01)
    assert report.rebuffer_s == 0.0
    assert sum(isinstance(event, Started) for event in events) == 1
    assert "seek" in {beat.kind for beat in origin.beats}
    assert sum(run.played_s for beat in origin.beats for run in beat.runs) == pytest.approx(report.played_s)


def test_a_seek_drops_what_is_being_loaded_for_the_old_place():
    origin = FakeOrigin([FakeTitle(duration_s=120.0, ladder={"240p": 800_000}, audio_bps=0)])
    link = Link.constant(1e6)

    async def run():
        async with fake_player(origin, link=link) as one:
            session = await one.play("film")
            async for event in session.events(20.0):
                if isinstance(event, Started):
                    session.seek(80.0)
            return session.report

    assert asyncio.run(run()).end_reason == "stopped"
    assert [path for path in origin.paths() if path.endswith("seg-00021.m4s")], "80 s begin with the 21st segment"
    assert not [path for path in origin.paths() if path.endswith("seg-00006.m4s")]


def test_the_height_can_be_limited_while_it_plays():
    origin = FakeOrigin([FakeTitle(duration_s=80.0)])
    events, _ = drive(
        origin,
        [(8.0, lambda one: one.limit_height(480)), (40.0, lambda one: one.limit_height(None))],
        link=Link.constant(40e6),
        settings=PlaybackSettings(buffer_max_s=4.0),
    )
    rungs = [event.rung for event in events if isinstance(event, SegmentDownloaded) and event.kind == "video"]
    assert rungs[1] == "1080p"
    assert rungs[5:9] == ["480p"] * 4
    assert rungs[-1] == "1080p"


@pytest.mark.parametrize("prepared", [False, True])
def test_segments_come_with_their_bytes_and_init(prepared):
    async def run():
        async with fake_player(FakeOrigin([FakeTitle(duration_s=12.0)])) as one:
            session = await one.play("film")
            if prepared:
                await session.prepare()
            return [content async for content in session.segments()]

    contents = asyncio.run(run())
    assert [(one.kind, one.index) for one in contents] == [(kind, n) for n in range(3) for kind in ("video", "audio")]
    assert all(one.init == bytes(800) for one in contents)
    assert [len(one.content) for one in contents if one.kind == "audio"] == [50_000] * 3


def test_sound_that_comes_over_the_same_line_counts():
    """Picture of 1.2 Mbit/s would fit a line of 1.3 Mbit/s, and does not with its sound of 0.2 Mbit/s."""
    title = FakeTitle(duration_s=240.0, ladder={"240p": 400_000, "480p": 1_200_000}, audio_bps=200_000)
    report = asyncio.run(
        simulate(Link.constant(1.3e6, latency_s=0.02), title=title, settings=PlaybackSettings(protocol="dash"))
    )
    assert (report.end_reason, report.rebuffer_s) == ("completed", 0.0)
