"""Titles that are read and not played."""

import asyncio

import httpx
import pytest
from player_sdk.testing import FakeOrigin, FakeTitle, fake_player

from player_sdk import DeliveryError

FOLDER = "http://origin.test/media/film/p/1"


class Elsewhere(FakeTitle):
    """Its manifests name two places for all there is, neither of them the one that they came from."""

    def _mpd(self):
        places = "".join(
            f'<BaseURL serviceLocation="{one}">http://{one}.test/media/film/</BaseURL>' for one in ("edge-1", "origin")
        )
        return super()._mpd().replace("../../r/", "r/").replace("<Period>", f"{places}<Period>")


def ask(origin, call):
    """What a call of a player at that platform answers."""

    async def run():
        async with fake_player(origin, beats=None) as player:
            return await call(player)

    return asyncio.run(run())


@pytest.mark.parametrize("manifest", ["master.m3u8", "manifest.mpd"])
def test_what_a_url_offers_is_told_with_the_segments_of_every_track(manifest):
    title = FakeTitle(duration_s=10.0, languages=("en", "de"), captions=("fr",))
    origin = FakeOrigin([title])
    offered = ask(origin, lambda player: player.probe_url(f"{FOLDER}/{manifest}"))
    assert offered.duration_s == 10.0
    assert [track.rung for track in offered.tracks] == [*title.ladder, "audio-en", "audio-de", "text-fr"]
    assert {len(track.media.segments) for track in offered.tracks} == {3}
    if manifest == "master.m3u8":
        assert offered.video[0].uri == f"{FOLDER}/240p.m3u8"
    assert not [path for path in origin.paths() if "/r/" in path], "nothing is loaded"


def test_a_playlist_that_is_missing_is_named():
    gone = FakeOrigin(fault=lambda one: httpx.Response(410) if one.url.path.endswith("audio-en.m3u8") else None)
    with pytest.raises(DeliveryError, match=r"http://origin\.test\S+audio-en\.m3u8 answered 410"):
        ask(gone, lambda player: player.probe_url(f"{FOLDER}/master.m3u8"))


def test_a_title_is_kept_from_the_places_that_its_manifest_names(tmp_path):
    first_is_down = FakeOrigin(
        [Elsewhere(duration_s=10.0)], fault=lambda one: httpx.Response(503) if one.url.host == "edge-1.test" else None
    )
    kept = ask(first_is_down, lambda player: player.download_url(f"{FOLDER}/manifest.mpd", tmp_path))
    assert (kept.duration_s, kept.rung) == (10.0, "1080p")
    assert {one.url.host for one in first_is_down.requests} == {"edge-1.test", "origin.test"}
