"""Other sound and captions while a title plays."""

import asyncio
from dataclasses import replace

import httpx
import pytest
from player_sdk.testing import START_UTC, FakeOrigin, FakeTitle, fake_player

from player_sdk import (
    Link,
    PlaybackSettings,
    PlayerError,
    SegmentDownloaded,
    Started,
    TrackChanged,
    VirtualClock,
)

TITLE = FakeTitle(duration_s=60.0, languages=("en", "de"), captions=("en", "fr"))


class RemoteControl(VirtualClock):
    """A clock at which somebody presses a button, whatever the player is doing."""

    def __init__(self, presses):
        super().__init__(START_UTC)
        self.presses, self.session = sorted(presses.items()), None

    def advance(self, duration_s):
        self.advance_to(self.now() + duration_s)

    async def sleep(self, duration_s):
        self.advance(duration_s)

    def advance_to(self, now_s):
        super().advance_to(now_s)
        while self.presses and self.session is not None and self.now() >= self.presses[0][0]:
            self.presses.pop(0)[1](self.session)


def named(tracks, language):
    """A track as another version of its manifest would have it: of the same name, and another object."""
    return replace(next(track for track in tracks if track.language == language))


def hear(language):
    return lambda session: session.choose_audio(named(session.audio_tracks, language))


def read(language):
    return lambda session: session.choose_captions(language and named(session.caption_tracks, language))


def play(presses=(), *, origin=None, protocol="hls", captions=None, **settings):
    clock = RemoteControl(dict(presses))

    async def run():
        playing = PlaybackSettings(protocol=protocol, captions=captions, slice_s=0.5, **settings)
        async with fake_player(origin or FakeOrigin([TITLE]), clock=clock, settings=playing) as player:
            clock.session = session = await player.play("film")
            return [event async for event in session.events()]

    return asyncio.run(run())


def loaded(events, kind):
    return [(one.index, one.rung) for one in events if isinstance(one, SegmentDownloaded) and one.kind == kind]


def started(events):
    return next(one for one in events if isinstance(one, Started))


def changes(events):
    return [(one.kind, one.old_name, one.new_name) for one in events if isinstance(one, TrackChanged)]


@pytest.mark.parametrize("protocol", ["hls", "dash"])
@pytest.mark.parametrize("pressed_s", [10.2, 50.2], ids=["while-loading", "when-all-is-loaded"])
def test_other_sound_is_heard_at_once_and_nothing_stalls(protocol, pressed_s):
    events = play({pressed_s: hear("de")}, protocol=protocol)
    (change,) = [event for event in events if isinstance(event, TrackChanged)]
    assert (change.kind, change.old_name, change.new_name) == ("audio", "audio-en", "audio-de")
    assert abs(change.position_s - pressed_s) < 2.5, "as soon as the running download has ended"
    german = [index for index, rung in loaded(events, "audio") if rung == "audio-de"]
    # A second of the old sound is kept, to the end of its segment of 4 s; then all of the new one follows.
    kept_s = 4.0 * -(-(change.position_s + 1.0) // 4.0)
    assert german == list(range(int(kept_s // 4), 15))
    report = events[-1].report
    assert (report.end_reason, report.rebuffer_s, report.played_s) == ("completed", 0.0, pytest.approx(60.0))


def test_captions_come_and_go_and_do_not_hold_playback_up():
    plain, with_captions = play(), play({20.0: read("fr"), 35.0: read(None)}, captions="en")
    assert changes(with_captions) == [
        ("text", None, "text-en"),
        ("text", "text-en", "text-fr"),
        ("text", "text-fr", None),
    ]
    french = [index for index, rung in loaded(with_captions, "text") if rung == "text-fr"]
    assert french == list(range(french[0], french[-1] + 1))
    assert french[0] in (4, 5), "what is being shown at 20 s"
    assert started(with_captions) == started(plain)
    assert with_captions[-1].report.rebuffer_s == 0.0


def test_captions_that_cannot_be_had_are_left_out_and_the_title_plays_on():
    origin = FakeOrigin([TITLE], fault=lambda one: httpx.Response(404) if one.url.path.endswith("2.vtt") else None)
    events = play(origin=origin, captions="en")
    assert changes(events) == [("text", None, "text-en"), ("text", "text-en", None)]
    report = events[-1].report
    assert (report.end_reason, report.played_s) == ("completed", pytest.approx(60.0))
    assert any(error.startswith("text: ") for error in report.errors)


def test_sound_whose_playlist_is_missing_leaves_the_old_one():
    missing = FakeOrigin([TITLE], fault=lambda one: httpx.Response(404) if "audio-de.m3u8" in one.url.path else None)
    events = play({10.0: hear("de")}, origin=missing)
    assert changes(events) == []
    assert events[-1].report.end_reason == "completed"


def test_captions_are_handed_out_with_the_segments():
    async def run():
        async with fake_player(FakeOrigin([TITLE]), settings=PlaybackSettings(captions="fr")) as player:
            session = await player.play("film")
            with pytest.raises(PlayerError, match="no such audio track"):
                session.choose_audio("de")
            return [one async for one in session.segments(9.0) if one.kind == "text"]

    assert [one.content.decode().split()[-2:] for one in asyncio.run(run())][:2] == [["text-fr", "1"], ["text-fr", "2"]]


def test_on_a_slow_line_the_title_still_plays_to_its_end():
    title = FakeTitle(duration_s=40.0, ladder={"240p": 400_000}, languages=("en", "de"), audio_bps=400_000)
    clock = RemoteControl({13.0: hear("de")})

    async def run():
        async with fake_player(FakeOrigin([title]), clock=clock, link=Link.constant(850_000)) as player:
            clock.session = session = await player.play("film")
            return await session.watch()

    report = asyncio.run(run())
    assert (report.end_reason, report.played_s) == ("completed", pytest.approx(40.0))
