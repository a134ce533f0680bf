"""Titles kept in a folder and played from there."""

import asyncio
import datetime as dt

import httpx
import pytest
from player_sdk.testing import START_UTC, FakeOrigin, FakeTitle, fake_player

from player_sdk import DeliveryError, OfflineExpired, PlaybackSettings, PlayerError, PlaylistError

TITLE = FakeTitle(duration_s=10.0, languages=("en", "de"), captions=("fr",))
GERMAN = PlaybackSettings(language="de", captions="fr")


def keep(folder, origin=None, *, settings=GERMAN, **wishes):
    async def run():
        async with fake_player(origin or FakeOrigin([TITLE]), settings=settings) as player:
            return await player.download("film", folder, **wishes)

    return asyncio.run(run())


def watch(folder, *, later_s=0.0):
    """What plays from the folder: the report, and the segments by kind. There is no network."""

    def unreachable(request):
        raise httpx.ConnectError("no network", request=request)

    async def run():
        async with fake_player(FakeOrigin(fault=unreachable), settings=GERMAN) as player:
            player.clock.advance(later_s)
            session = player.open_offline(folder)
            segments = [segment async for segment in session.segments()]
            return session.report, segments

    return asyncio.run(run())


@pytest.mark.parametrize("protocol_path", ["hls_path", "dash_path"])
def test_what_is_kept_plays_without_a_network(tmp_path, protocol_path):
    other = {"hls_path": "dash_path", "dash_path": "hls_path"}[protocol_path]
    shares = []
    title = keep(tmp_path, FakeOrigin([TITLE], plan={other: None}), max_height=500, progress=shares.append)
    assert (title.title_id, title.rung, title.duration_s) == ("film", "480p", 10.0)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    report, segments = watch(tmp_path)
    assert (report.end_reason, report.errors, report.played_s) == ("completed", [], pytest.approx(10.0))
    for kind, rung in (("video", "480p"), ("audio", "audio-de"), ("text", "text-fr")):
        suffix = "vtt" if kind == "text" else "m4s"
        served = [TITLE.resource(f"r/{rung}/seg-0000{number}.{suffix}")[0] for number in (1, 2, 3)]
        assert [segment.content for segment in segments if segment.kind == kind] == served
    assert title.size_bytes == sum(path.stat().st_size for path in (tmp_path / "media").iterdir())


def test_a_download_that_broke_off_goes_on_where_it_was(tmp_path):
    down = FakeOrigin([TITLE], fault=lambda one: httpx.Response(503) if one.url.path.endswith("3.m4s") else None)
    with pytest.raises(DeliveryError):
        keep(tmp_path, down)
    with pytest.raises(PlayerError, match="no complete download"):
        watch(tmp_path)
    again = FakeOrigin([TITLE])
    keep(tmp_path, again)
    assert not [path for path in again.paths() if path.endswith("/1080p/seg-00001.m4s")], "it was there"
    assert watch(tmp_path)[0].end_reason == "completed"


def test_a_folder_that_cannot_be_written_or_read_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PlayerError, match=r"cannot be kept in .*film: .*Not a directory"):
        keep(tmp_path / "file" / "film")
    with pytest.raises(PlayerError, match="Not a directory"):
        watch(tmp_path / "file" / "film")


def test_another_rung_in_the_same_folder_takes_nothing_of_the_first_for_its_own(tmp_path):
    keep(tmp_path, max_height=300)
    title = keep(tmp_path, max_height=500)
    report, _ = watch(tmp_path)
    assert report.mean_bitrate_bps == pytest.approx(1_200_000)
    assert title.size_bytes == sum(path.stat().st_size for path in (tmp_path / "media").iterdir()), "the rest is gone"


def test_it_plays_until_the_token_expires(tmp_path):
    expires_at = START_UTC + dt.timedelta(hours=6)
    keep(tmp_path, FakeOrigin([TITLE], plan={"expires_at": expires_at.isoformat()}))
    assert watch(tmp_path, later_s=6 * 3600 - 60)[0].end_reason == "completed"
    with pytest.raises(OfflineExpired, match="18:00"):
        watch(tmp_path, later_s=6 * 3600)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("#EXT-X-ENDLIST", "", "live"),
        ("#EXT-X-PLAYLIST", '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1\n#EXT-X-PLAYLIST', "encrypted"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path, old, new, why):
    class Other(FakeTitle):
        def _media_playlist(self, rung):
            return super()._media_playlist(rung).replace(old, new)

    with pytest.raises(PlaylistError, match=why):
        keep(tmp_path, FakeOrigin([Other()]))
    assert not list(tmp_path.rglob("*.m4s"))


def test_a_playlist_on_disk_that_was_tampered_with_reads_no_other_file(tmp_path):
    keep(tmp_path / "film")
    (tmp_path / "secret.m4s").write_bytes(b"secret")
    playlist = tmp_path / "film" / "video.m3u8"
    first = next(line for line in playlist.read_text().splitlines() if line.endswith(".m4s"))
    playlist.write_text(playlist.read_text().replace(first, "%2e%2e/secret.m4s"))
    report, segments = watch(tmp_path / "film")
    assert report.end_reason == "failed"
    assert b"secret" not in [segment.content for segment in segments]
