"""The small parts: headers, CMCD, tracks."""

import datetime as dt

import httpx
import pytest
from player_sdk.cmcd import CmcdRequest, cmcd_headers
from player_sdk.headers import CacheOutcome, cache_outcome, retry_after_s, upstream_s
from player_sdk.playlist import Presentation, Track
from player_sdk.tracks import segment_sizes, select_tracks

from player_sdk import PlaylistError

NOW = dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("edge-1; hit; detail=placed", CacheOutcome(hit=True, placed=True)),
        ("edge-1; hit; detail=cached", CacheOutcome(hit=True)),
        ("edge-1;hit", CacheOutcome(hit=True)),
        ("edge-1; fwd=uri-miss; stored; fwd-status=200", CacheOutcome(hit=False)),
        ("parent; hit; detail=placed, edge-1; fwd=miss", CacheOutcome(hit=False)),
        ("", None),
    ],
)
def test_cache_status_of_the_nearest_cache(value, outcome):
    assert cache_outcome(httpx.Headers({"Cache-Status": value})) == outcome


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("upstream;dur=250", 0.25),
        ('db;dur=3, upstream;desc="x";dur="12.5"', 0.0125),
        ("upstream", 0.0),
        ("upstream;dur=x", 0.0),
        ("upstream;dur=inf", 0.0),
    ],
)
def test_upstream_time(value, seconds):
    assert upstream_s(httpx.Headers({"Server-Timing": value})) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0), ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0), ("soon", None)],
)
def test_retry_after_as_seconds_or_date(value, seconds):
    assert retry_after_s(httpx.Headers({"Retry-After": value}), NOW) == seconds


def test_cmcd_rounds_and_quotes_as_the_standard_says():
    headers = cmcd_headers(
        CmcdRequest(
            session_id='a"b',
            content_id="film",
            object_type="video",
            streaming_format="dash",
            bitrate_bps=2_849_600.0,
            duration_s=4.0004,
            buffer_s=12.345,
            throughput_bps=5_432_100.0,
            starved=True,
        )
    )
    assert headers == {
        "CMCD-Object": "br=2850,d=4000,ot=v",
        "CMCD-Request": "bl=12300,mtp=5400",
        "CMCD-Session": 'cid="film",sf=d,sid="a\\"b",st=v',
        "CMCD-Status": "bs",
    }


def video(rung, height, codec="avc1.64001f", group=None):
    return Track(
        kind="video",
        rung=rung,
        bitrate_bps=height * 1000.0,
        peak_bitrate_bps=height * 1000.0,
        codecs=(codec,),
        height=height,
        width=height * 16 // 9,
        audio_group=group,
    )


def audio(language, group=None, default=False):
    return Track(
        kind="audio",
        rung=f"audio-{language}",
        bitrate_bps=0,
        peak_bitrate_bps=0,
        language=language,
        audio_group=group,
        default=default,
    )


def test_tracks_that_cannot_be_decoded_are_left_out():
    title = Presentation(video=(video("360p", 360), video("720p", 720, codec="xyz1")))
    assert [track.rung for track in select_tracks(title, device="desktop").ladder] == ["360p"]
    with pytest.raises(PlaylistError, match="xyz1"):
        select_tracks(Presentation(video=title.video[1:]), device="desktop")


def test_audio_is_the_wanted_language_of_the_right_group_else_the_default():
    title = Presentation(
        video=(video("360p", 360, group="a"),),
        audio=(audio("fr", "b", default=True), audio("de", "a"), audio("en", "a", default=True)),
    )
    assert select_tracks(title, device="x").audio.language == "en"
    assert select_tracks(title, device="x", language="de").audio.language == "de"
    assert select_tracks(title, device="x", language="fr").audio.language == "en"
    assert select_tracks(Presentation(video=title.video), device="x").audio is None


def test_sizes_are_bit_rate_times_time_until_a_playlist_knows_better():
    from player_sdk.playlist import parse_media

    ladder = (video("360p", 360), video("720p", 720))
    known = parse_media("#EXTM3U\n#EXT-X-BITRATE:100\n#EXTINF:4,\na\n#EXTINF:2,\nb\n")
    assert segment_sizes(ladder, [known, None]) == [(50_000.0, 360_000.0), (25_000.0, 180_000.0)]
