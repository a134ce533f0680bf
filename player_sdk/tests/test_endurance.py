"""A day of playback, on a virtual clock: what is held after it is what was held after its first hours."""

import asyncio

import pytest
from player_sdk.testing import FakeOrigin, FakeTitle, fake_player

from player_sdk import Link, PathwayLink, PlaybackSettings

HOUR = FakeTitle(
    duration_s=3600.0,
    segment_s=10.0,
    ladder={"240p": 100_000, "480p": 300_000, "720p": 600_000},
    audio_bps=32_000,
    languages=("en", "de"),
    captions=("en",),
)
LINE = Link([(40, 3e6), (20, 0.3e6), (7, 0.02e6)])
FLAPPING = PathwayLink(outages=tuple((at_s, at_s + 30.0) for at_s in range(600, 100_000, 1800)), connect_timeout_s=2.0)


@pytest.mark.long
@pytest.mark.day
def test_a_player_holds_no_more_after_a_day_of_titles_than_after_two_hours(held):
    """By one player, with heartbeats, steering, an edge that comes and goes, pauses, seeks and other sound."""
    origin = FakeOrigin([HOUR], edges={"edge-1": None, "origin": None})

    async def an_hour(player):
        session = await player.play("film")
        done = 0
        async for _ in session.events():
            if session.position_s > 600.0 * (done + 1):
                done += 1
                (session.choose_audio(session.audio_tracks[done % 2]) if done < 4 else session.pause(20.0))
                if done == 5:
                    session.seek(session.position_s - 100.0)
        origin.requests.clear()
        origin.beats.clear()
        return session.report

    async def run():
        async with fake_player(
            origin, link=LINE, pathways={"edge-1.test": FLAPPING}, settings=PlaybackSettings(captions="en")
        ) as player:
            for hour in range(24):
                report = await an_hour(player)
                assert report.end_reason == "completed"
                assert report.switches > 0
                assert len(report.pathways) == 2
                if hour == 1:
                    before = held()
            return before, held()

    before, after = asyncio.run(run())
    assert after.blocks - before.blocks < 200, (before, after)
    assert after.resident_mb - before.resident_mb < 10.0, (before, after)
