"""Live playlists on a virtual clock: a server that cuts a segment every two seconds, and sessions that follow it."""

import asyncio
import datetime as dt
import itertools

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from player_sdk.abr import Decision
from player_sdk.playlist import MediaPlaylist, Segment, parse_media
from player_sdk.playlist.live import at_its_time, beside, on_clock_of, reread

from player_sdk import (
    BolaAbr,
    EmulatedTransport,
    Link,
    MarkovMpcAbr,
    Player,
    PlaylistError,
    RobustMpcAbr,
    SegmentDownloaded,
    Sought,
    Stalled,
    Switched,
    ThroughputAbr,
    VirtualClock,
)

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SEGMENT_S = 2.0
MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",LANGUAGE="en",DEFAULT=YES,URI="audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=200000,CODECS="avc1.64000d,mp4a.40.2",RESOLUTION=426x240,AUDIO="a"
240p.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.64000d,mp4a.40.2",RESOLUTION=852x480,AUDIO="a"
480p.m3u8
"""
MPD = """<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="{kind}" availabilityStartTime="2026-01-01T00:00:00Z"
  publishTime="2026-01-01T00:00:00Z" timeShiftBufferDepth="PT{window_s}S" minimumUpdatePeriod="PT2S" {duration}>
  {timing}{periods}</MPD>"""
PERIOD = """<Period id="{number}" start="PT{start_s}S"><AdaptationSet contentType="video">
  <SegmentTemplate timescale="1000" presentationTimeOffset="{start_ms}" media="$RepresentationID$-$Time$.m4s"
  initialization="$RepresentationID$.{number}.mp4"><SegmentTimeline>{timeline}</SegmentTimeline></SegmentTemplate>
  {representations}</AdaptationSet></Period>"""
FILM = """<Representation id="240p" bandwidth="200000" height="240"/>
  <Representation id="480p" bandwidth="800000" height="480"/>"""
INSERT = '<Representation id="360p" bandwidth="600000" height="360"/>'
"""In every second period, where there are several."""


class LiveServer(httpx.AsyncBaseTransport):
    """Cuts segments as its clock goes.

    Args:
        begun_s: How long it has run when the clock starts.
        ends_s: When, from its start, it ends; None never.
        window: How many segments it keeps; None keeps all (an event).
        period: Segments of a period of the MPD; also in HLS, something else is encoded from there on.
        pause: From when to when, by the clock, it cuts none; what it would have cut is there afterwards.
        edit: What becomes of a media playlist, given how many segments there are.
    """

    def __init__(
        self, clock, *, begun_s=60.0, ends_s=None, window=5, period=10**9, pause=(0.0, 0.0), edit=lambda text, _: text
    ):
        self.clock, self.begun_s, self.ends_s, self.window, self.edit = clock, begun_s, ends_s, window, edit
        self.period, self.pause = period, pause
        self.asked = []

    @property
    def cut(self):
        """How many segments there are."""
        begins_s, ends_s = self.pause
        now_s = self.clock.now()
        now_s = self.begun_s + (begins_s if begins_s <= now_s < ends_s else now_s)
        return int(min(now_s, self.ends_s if self.ends_s is not None else now_s) / SEGMENT_S)

    @property
    def ended(self):
        return self.ends_s is not None and self.begun_s + self.clock.now() >= self.ends_s

    async def handle_async_request(self, request):
        name = request.url.path.rpartition("/")[2]
        self.asked.append((self.clock.now(), name))
        first = 0 if self.window is None else max(0, self.cut - self.window)
        if name == "m.m3u8":
            return httpx.Response(200, text=MASTER)
        if name == "time":
            return httpx.Response(200, text=(self.clock.utc_now() + dt.timedelta(seconds=self.begun_s)).isoformat())
        if name == "m.mpd":
            return httpx.Response(200, text=self.mpd(first))
        if name.endswith(".m3u8"):
            return httpx.Response(200, text=self.edit(self.playlist(name.removesuffix(".m3u8"), first), self.cut))
        if name.endswith(".m4s"):
            number = int(name.removesuffix(".m4s").split("-")[1])
            number = number // 2000 if self.asked[0][1] == "m.mpd" else number
            # What has left the playlist is kept for as long again.
            if not first - (self.window or 0) <= number < self.cut:
                return httpx.Response(404)
        return httpx.Response(200, content=bytes(20_000))

    def playlist(self, rung, first):
        lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{SEGMENT_S:.0f}", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        lines += ["#EXT-X-PLAYLIST-TYPE:EVENT"] if self.window is None else []
        for number in range(first, self.cut):
            lines += ["#EXT-X-DISCONTINUITY"] if number and number % self.period == 0 else []
            if number == first or number % self.period == 0:
                lines += [f'#EXT-X-MAP:URI="{rung}.{number // self.period}.mp4"']
            lines += [f"#EXTINF:{SEGMENT_S},", f"{rung}-{number}.m4s"]
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if self.ended else [])]) + "\n"

    def mpd(self, first):
        segment_ms = int(SEGMENT_S * 1000)
        periods = ""
        for number in range(first // self.period, max(first, self.cut - 1) // self.period + 1):
            begins, ends = number * self.period, min((number + 1) * self.period, self.cut)
            count = ends - max(first, begins)
            timeline = f'<S t="{max(first, begins) * segment_ms}" d="{segment_ms}" r="{count - 1}"/>' if count else ""
            periods += PERIOD.format(
                number=number,
                start_s=begins * SEGMENT_S,
                start_ms=begins * segment_ms,
                timeline=timeline,
                representations=INSERT if number % 2 else FILM,
            )
        duration = f'mediaPresentationDuration="PT{self.ends_s}S"' if self.ended else ""
        return MPD.format(
            kind="static" if self.ended else "dynamic",
            window_s=(self.window or 1000) * SEGMENT_S,
            periods=periods,
            duration=duration,
            timing='<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="http://t.test/time"/>',
        )

    def video_numbers(self):
        return [int(name.split("-")[1][:-4]) for _, name in self.asked if name.endswith("m4s") and name[0] != "a"]

    def asked_rungs(self):
        return [name.split("-")[0] for _, name in self.asked if name.endswith("m4s") and name[0] != "a"]

    def reads_of(self, name):
        return [at for at, one in self.asked if one == name]


class Scripted(ThroughputAbr):
    """Takes the rung that a function names, given how often it was asked."""

    def __init__(self, rung_of):
        super().__init__()
        self.rung_of, self.asked = rung_of, 0

    def choose(self, state):
        self.asked += 1
        return Decision(rung=self.rung_of(self.asked))


def play(
    url="http://live.test/m.m3u8",
    *,
    watch_s=None,
    start_s=0.0,
    line=((1.0, 20e6),),
    steps=(),
    abr=MarkovMpcAbr,
    **server,
):
    """A session; ``steps`` are what the viewer does at which second of the clock."""
    left = list(steps)

    async def run():
        clock = VirtualClock(START)
        live = LiveServer(clock, **server)
        transport = EmulatedTransport(live, clock=clock, link=Link(line))
        async with Player(transport=transport, clock=clock, abr=abr, seed=0) as player:
            session = player.open_url(url, start_s=start_s)
            events = []
            async for event in session.events(watch_s):
                events.append(event)
                while left and clock.now() >= left[0][0]:
                    left.pop(0)[1](session)
            return live, events, clock.now()

    return asyncio.run(asyncio.wait_for(run(), 120))


@pytest.mark.parametrize("url", ["http://live.test/m.m3u8", "http://live.test/m.mpd"])
def test_a_live_title_is_followed_behind_its_end_without_a_segment_twice_or_left_out(url):
    live, events, end_s = play(url, watch_s=60.0)
    report = events[-1].report
    assert (report.end_reason, report.errors, report.rebuffer_s) == ("stopped", [], 0.0)
    numbers = [event.index for event in events if isinstance(event, SegmentDownloaded) and event.kind == "video"]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    names = live.video_numbers()
    step = names[1] - names[0]
    assert names == list(range(names[0], names[0] + step * len(names), step)), "what is named is what is meant"
    assert end_s == pytest.approx(60.0 + report.startup_s, abs=0.5)


@pytest.mark.parametrize("url", ["http://live.test/m.m3u8", "http://live.test/m.mpd"])
def test_what_is_encoded_anew_in_each_period_plays_on(url):
    """Every second period of the MPD has one representation alone, of another name."""
    live, events, _ = play(url, watch_s=120.0, period=10)
    report = events[-1].report
    assert (report.end_reason, report.errors, report.rebuffer_s) == ("stopped", [], 0.0)
    assert report.played_s == pytest.approx(120.0)
    numbers = [event.index for event in events if isinstance(event, SegmentDownloaded) and event.kind == "video"]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    inits = [name for _, name in live.asked if name.endswith(".mp4") and not name.startswith("audio")]
    assert {int(name.split(".")[1]) for name in inits} == set(range(2, 9))
    if url.endswith("mpd"):
        assert {name.split(".")[0] for name in inits if int(name.split(".")[1]) % 2} == {"360p"}
    assert told_rungs(events) == live.asked_rungs()


def told_rungs(events):
    return [event.rung for event in events if isinstance(event, SegmentDownloaded) and event.kind == "video"]


def test_a_session_that_opens_in_a_period_of_one_rung_plays_the_ladder_of_the_next_one():
    """Until the window holds some of the next period, the manifest offers ``360p`` alone."""
    live, events, _ = play("http://live.test/m.mpd", begun_s=78.0, watch_s=60.0, period=10)
    report = events[-1].report
    assert (report.end_reason, report.errors, report.rebuffer_s) == ("stopped", [], 0.0)
    rungs = told_rungs(events)
    assert rungs == live.asked_rungs()
    assert [rung for rung, _ in itertools.groupby(rungs)] == ["360p", "480p", "360p", "480p"]
    switched = [(event.old_rung, event.new_rung) for event in events if isinstance(event, Switched)]
    assert switched == [("360p", "480p"), ("480p", "360p"), ("360p", "480p")]
    assert 600e3 < report.mean_bitrate_bps < 800e3


@pytest.mark.parametrize("url", ["http://live.test/m.m3u8", "http://live.test/m.mpd"])
@pytest.mark.parametrize("target_s", [2, 3], ids=["exact", "rounded-up"])
def test_a_rung_that_was_left_long_ago_goes_on_where_the_title_is(url, target_s):
    """The window has moved on ten times since, and what a playlist declares is longer than its segments are."""

    def declared(text, number):
        return text.replace("TARGETDURATION:2", f"TARGETDURATION:{target_s}")

    live, events, end_s = play(
        url, watch_s=200.0, edit=declared, abr=lambda: Scripted(lambda asked: int(3 < asked < 60))
    )
    report = events[-1].report
    assert (report.end_reason, report.errors, report.rebuffer_s, report.switches) == ("stopped", [], 0.0, 2)
    assert (report.played_s, end_s) == (pytest.approx(200.0), pytest.approx(200.0 + report.startup_s, abs=0.5))
    names = live.video_numbers()
    step = names[1] - names[0]
    assert names == list(range(names[0], names[0] + step * len(names), step))


@pytest.mark.parametrize("url", ["http://live.test/m.m3u8", "http://live.test/m.mpd"])
def test_a_rung_that_is_new_after_a_long_pause_goes_on_where_the_title_is(url):
    """What was loaded before the pause plays on, and then what the window has by now: the rest of it has gone."""
    wanted = [0]
    steps = [(10.0, lambda one: one.pause(600.0)), (610.0, lambda one: wanted.__setitem__(0, 1))]
    _, events, _ = play(url, watch_s=700.0, steps=steps, abr=lambda: Scripted(lambda asked: wanted[0]))
    report = events[-1].report
    assert (report.end_reason, report.errors, report.switches) == ("stopped", [], 1)
    numbers = [event.index for event in events if isinstance(event, SegmentDownloaded) and event.kind == "video"]
    jump = max(later - earlier for earlier, later in itertools.pairwise(numbers)) - 1
    assert jump * SEGMENT_S == pytest.approx(600.0, abs=60.0)
    assert report.played_s == pytest.approx(700.0 - jump * SEGMENT_S)
    assert report.rebuffer_s <= SEGMENT_S


@pytest.mark.parametrize("abr", [MarkovMpcAbr, RobustMpcAbr, BolaAbr, ThroughputAbr])
def test_near_the_live_end_every_policy_still_takes_what_the_line_gives(abr):
    """There is one segment to plan for, and never more in the buffer than the server has."""
    _, events, _ = play(watch_s=80.0, abr=abr, line=[(20.0, 0.3e6), (1e3, 20e6)])
    loaded = [event.rung for event in events if isinstance(event, SegmentDownloaded) and event.kind == "video"]
    assert loaded[-15:].count("480p") >= (8 if abr is BolaAbr else 15), loaded
    assert events[-1].report.rebuffer_s == 0.0


def test_it_starts_three_target_durations_behind_the_end():
    live, _, _ = play(watch_s=4.0)
    assert live.video_numbers()[0] == 30 - 3


def test_a_playlist_is_read_after_its_target_duration_and_after_half_of_it_where_nothing_was_new():
    live, _, _ = play(watch_s=40.0)
    reads = [at for at, name in live.asked if name in ("240p.m3u8", "480p.m3u8")]
    gaps = [later - earlier for earlier, later in itertools.pairwise(reads)]
    assert min(gaps[2:]) >= SEGMENT_S / 2 - 0.1
    assert len(reads) < 40 / SEGMENT_S * 1.5 + 3


@pytest.mark.parametrize("url", ["http://live.test/m.m3u8", "http://live.test/m.mpd"])
def test_a_live_title_that_ends_is_played_to_its_end(url):
    _, events, _ = play(url, ends_s=90.0)
    report = events[-1].report
    assert (report.end_reason, report.errors) == ("completed", [])
    assert report.played_s == pytest.approx(30.0 + 6.0, abs=SEGMENT_S + 0.1)


def test_an_event_is_played_from_where_it_is_wanted():
    live, events, _ = play(window=None, ends_s=80.0)
    assert live.video_numbers() == list(range(40))
    assert events[-1].report.played_s == pytest.approx(80.0)
    live, events, _ = play(window=None, ends_s=80.0, start_s=50.0)
    assert live.video_numbers()[0] == 25


def test_a_start_within_the_window_is_kept_to():
    live, _, _ = play(window=20, start_s=10.0, watch_s=4.0)
    assert live.video_numbers()[0] == 10 + 5  # the window begins at number 10, and time there


@pytest.mark.parametrize(("abr", "jump_count"), [(ThroughputAbr, 1), (MarkovMpcAbr, 2)], ids=["waits", "drops"])
def test_a_player_that_falls_behind_goes_on_where_the_window_begins(abr, jump_count):
    async def run():
        clock = VirtualClock(START)
        live = LiveServer(clock)
        outage = Link([(10.0, 20e6), (40.0, 0.0), (1000.0, 20e6)])
        transport = EmulatedTransport(live, clock=clock, link=outage)
        async with Player(transport=transport, clock=clock, abr=abr, seed=0) as player:
            session = player.open_url("http://live.test/m.m3u8")
            return [event async for event in session.events(60.0)]

    events = asyncio.run(run())
    report = events[-1].report
    assert (report.end_reason, report.errors) == ("stopped", [])
    numbers = [event.index for event in events if isinstance(event, SegmentDownloaded) and event.kind == "video"]
    assert numbers == sorted(set(numbers))
    jumps = [later - earlier for earlier, later in itertools.pairwise(numbers) if later - earlier > 1]
    assert len(jumps) == jump_count
    assert any(isinstance(event, Stalled) for event in events)
    # What was left out is not played: the 60 s of the timeline are fewer seconds of play.
    assert report.played_s == pytest.approx(60.0 - sum(jump - 1 for jump in jumps) * SEGMENT_S, abs=0.1)


def test_a_stream_that_stands_still_fails_the_session_and_does_not_hang():
    def stuck(text, number):
        return (
            text if number < 40 else "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:38\n#EXTINF:2,\nx-39.m4s"
        )

    _, events, end_s = play(edit=stuck)
    assert events[-1].report.end_reason == "failed"
    assert "has not gone on" in events[-1].report.errors[-1]
    assert 60.0 < end_s < 120.0


def test_gaps_are_passed_over_and_not_fetched():
    def with_gap(text, number):
        return text.replace("#EXTINF:2.0,\n240p-33.m4s", "#EXT-X-GAP\n#EXTINF:2.0,\n240p-33.m4s").replace(
            "#EXTINF:2.0,\n480p-33.m4s", "#EXT-X-GAP\n#EXTINF:2.0,\n480p-33.m4s"
        )

    live, events, _ = play(watch_s=30.0, edit=with_gap)
    assert 33 not in live.video_numbers()
    assert {32, 34} <= set(live.video_numbers())
    assert events[-1].report.errors == []


@pytest.mark.parametrize(("manifest", "zero_s"), [("m.m3u8", 20.0), ("m.mpd", 0.0)])
@pytest.mark.parametrize("paused_s", [0.001, 60.0], ids=["playing", "after-a-pause"])
def test_a_seek_in_a_live_title_lands_in_what_is_there_by_now(manifest, zero_s, paused_s):
    """A window of 20 segments: what a long pause began with has left it. ``zero_s``: where the timeline begins."""
    cut = int((60.0 + 10.0 + paused_s) / SEGMENT_S)
    begins_s, edge_s = (cut - 20) * SEGMENT_S - zero_s, (cut - 3) * SEGMENT_S - zero_s
    for wanted_s, landed_s in [(0.0, begins_s), (begins_s + 9.0, begins_s + 9.0), (1e6, edge_s)]:
        steps = [(10.0, lambda one: one.pause(paused_s)), (10.0 + paused_s, lambda one, to=wanted_s: one.seek(to))]
        _, events, _ = play(f"http://live.test/{manifest}", watch_s=40.0, window=20, steps=steps)
        sought = next(event for event in events if isinstance(event, Sought))
        report = events[-1].report
        assert sought.new_position_s == pytest.approx(landed_s)
        assert (report.end_reason, report.errors, report.rebuffer_s) == ("stopped", [], 0.0)
        assert report.played_s == pytest.approx(40.0)


def reading(first, count, *, start_s=0.0, utc_s=None, ended=False):
    segments = tuple(
        Segment(
            uri=f"{number}",
            number=number,
            start_s=start_s + 2.0 * index,
            duration_s=2.0,
            utc_s=None if utc_s is None else utc_s + 2.0 * index,
        )
        for index, number in enumerate(range(first, first + count))
    )
    return MediaPlaylist(segments=segments, target_duration_s=2.0, ended=ended)


def test_a_reading_goes_on_from_the_one_before():
    old = reading(10, 5)
    assert reread(old, reading(12, 5)).segments[0].start_s == 4.0
    assert reread(old, reading(20, 5)).segments[0].start_s == 20.0, "five were missed"
    assert reread(old, reading(8, 5)) is old, "a cache that lags"
    assert reread(old, reading(0, 0)) is old, "an encoder that has paused"
    with pytest.raises(PlaylistError, match="went back from 10 to 0"):
        reread(old, reading(0, 3))


def test_rungs_are_brought_in_line_by_date_number_or_beginning():
    dated = beside(reading(10, 5, utc_s=100.0), reading(73, 5, utc_s=104.0))
    assert [(one.number, one.start_s) for one in dated.segments][:2] == [(12, 4.0), (13, 6.0)]
    again = reread(dated, reading(75, 5, utc_s=108.0))
    assert [(one.number, one.start_s) for one in again.segments][:2] == [(14, 8.0), (15, 10.0)], "and stay in line"
    assert beside(reading(10, 5), reading(12, 5)).segments[0].start_s == 4.0
    assert beside(reading(0, 5, ended=True), reading(1, 5, ended=True)).first_number == 0
    audio = on_clock_of(reading(10, 5, utc_s=100.0), reading(500, 5, utc_s=101.0))
    assert (audio.first_number, audio.segments[0].start_s) == (500, 1.0)
    assert at_its_time(reading(10, 5, start_s=50.0), reading(0, 5, start_s=54.0)).first_number == 12


@settings(max_examples=40)
@given(
    windows=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6)), min_size=1, max_size=12),
    dated=st.booleans(),
)
def test_however_a_window_moves_number_and_time_stay_together(windows, dated):
    playlist = reading(7, 4, utc_s=14.0 if dated else None)
    offset_s = playlist.segments[0].start_s - 2.0 * 7
    first, end = 7, 11
    for moved, added in windows:
        first, end = min(first + moved, end), end + added
        playlist = reread(playlist, reading(first, end - first, utc_s=2.0 * first if dated else None))
        assert (playlist.first_number, playlist.end_number) == (first, end)
        for segment in playlist.segments:
            assert segment.start_s - offset_s == pytest.approx(2.0 * segment.number)


def test_an_empty_live_playlist_is_waited_for():
    assert parse_media("#EXTM3U\n#EXT-X-TARGETDURATION:2\n").segments == ()
    live, events, _ = play(begun_s=0.0, watch_s=6.0)
    assert live.video_numbers()[0] == 0
    assert events[-1].report.end_reason == "stopped"


@pytest.mark.parametrize("url", ["http://live.test/m.m3u8", "http://live.test/m.mpd"])
def test_a_live_playlist_of_which_nothing_is_left_is_waited_for_and_goes_on_where_it_was(url):
    """By the time of the manifest, its window of ten seconds is empty for twenty."""

    def none_left(text, number):
        return text.partition("#EXT-X-MAP")[0] if number == 40 else text

    _, events, _ = play(url, watch_s=60.0, pause=(20.0, 50.0), edit=none_left)
    report = events[-1].report
    assert (report.end_reason, report.errors) == ("stopped", [])
    numbers = [event.index for event in events if isinstance(event, SegmentDownloaded) and event.kind == "video"]
    assert numbers == sorted(set(numbers))
    jumps = [later - earlier for earlier, later in itertools.pairwise(numbers) if later - earlier > 1]
    assert jumps == [pytest.approx(11, abs=2)], "what has left the window by then"
    assert report.played_s == pytest.approx(60.0 - sum(jump - 1 for jump in jumps) * SEGMENT_S, abs=0.1)
    assert 10.0 < report.rebuffer_s < 30.0


class FlakyServer(LiveServer):
    """Fails one request in a hundred, once."""

    turn = 0

    async def handle_async_request(self, request):
        self.turn += 1
        return httpx.Response(503) if self.turn % 100 == 0 else await super().handle_async_request(request)


@pytest.mark.long
@pytest.mark.day
@pytest.mark.parametrize("name", ["m.m3u8", "m.mpd"])
def test_a_session_holds_no_more_after_a_day_of_a_live_title_than_after_two_hours(name, held):
    """Encoded anew every minute: 1440 periods of the MPD, every second one with another ladder."""

    async def run():
        clock = VirtualClock(START)
        server = FlakyServer(clock, window=10, period=30)
        transport = EmulatedTransport(server, clock=clock, link=Link([(40, 3e6), (20, 0.4e6)]))
        async with Player(transport=transport, clock=clock, seed=0) as player:
            session = player.open_url(f"http://live.test/{name}")
            before = None
            async for _ in session.events(24 * 3600.0):
                del server.asked[1:]
                if before is None and session.position_s > 2 * 3600.0:
                    before = held()
            return before, held(), session.report

    before, after, report = asyncio.run(run())
    assert report.played_s == pytest.approx(24 * 3600.0)
    assert (len(report.errors), report.error_count > 500) == (100, True)
    assert after.blocks - before.blocks < 200, (before, after)
    assert after.resident_mb - before.resident_mb < 10.0, (before, after)
