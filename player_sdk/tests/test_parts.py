"""The small parts: headers, CMCD, tracks."""

import datetime as dt
from dataclasses import replace

import httpx
import pytest
from player_sdk.cmcd import CmcdEvent, CmcdRequest, CmcdResponse, cmcd_event_line, cmcd_headers
from player_sdk.headers import CacheOutcome, cache_outcome, retry_after_s, upstream_s
from player_sdk.playlist import Presentation, Track
from player_sdk.recent_contents import RecentContents
from player_sdk.report import SessionTally
from player_sdk.tracks import Display, segment_sizes, select_tracks

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


SEGMENT = CmcdRequest(
    session_id='a"b',
    content_id="film",
    object_type="video",
    streaming_format="dash",
    bitrate_bps=2_849_600.0,
    duration_s=4.0004,
    buffer_s=12.345,
    throughput_bps=5_432_100.0,
)


def test_cmcd_rounds_and_quotes_as_the_standard_says():
    assert cmcd_headers(replace(SEGMENT, starved=True)) == {
        "CMCD-Object": "br=2850,d=4000,ot=v",
        "CMCD-Request": "bl=12300,mtp=5400",
        "CMCD-Session": 'cid="film",sf=d,sid="a\\"b",st=v',
        "CMCD-Status": "bs",
    }


def test_cmcd_of_version_2_says_more_and_by_kind_of_object():
    sound = replace(SEGMENT, object_type="audio", top_bitrate_bps=5e6, live=True)
    assert cmcd_headers(replace(sound, version=2, state="rebuffering", pathway_id="edge-1")) == {
        "CMCD-Object": "br=(2850;a),d=4000,ot=a,tb=(5000;v)",
        "CMCD-Request": "bl=(12300;a),mtp=(5400;v),sta=r",
        "CMCD-Session": 'cid="film",sf=d,sid="a\\"b",st=l,v=2',
        "CMCD-Status": 'cdn="edge-1"',
    }


def test_a_cmcd_event_is_one_line_whatever_is_in_it():
    line = cmcd_event_line(
        CmcdEvent(
            kind="rr",
            at_s=1.5,
            session_id="s\n",
            content_id='fi"lm\u00e9',
            streaming_format="dash",
            state="playing",
            position_s=2.0,
            error_code="http-404",
            response=CmcdResponse(url="http://e/x?a=1,2", status_code=206, first_byte_s=0.05, last_byte_s=0.25),
        )
    )
    assert line == (
        'cid="fi\\"lm",e=rr,ec=("http-404"),pt=2000,rc=206,sf=d,sid="s",st=v,sta=p,ts=1500,ttfb=50,ttlb=250,'
        'url="http://e/x?a=1,2",v=2'
    )


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


def test_contents_that_were_not_used_for_longest_go():
    kept = RecentContents(2)
    kept.put("a", b"1")
    kept.put("b", b"")
    assert kept.get("a") == b"1"
    kept.put("c", b"3")
    assert [kept.get(key) for key in "abc"] == [b"1", None, b"3"]


def test_a_content_that_is_put_again_is_the_newest():
    kept = RecentContents(2)
    for key in ("a", "b", "a", "c"):
        kept.put(key, key.encode())
    assert [kept.get(key) for key in ("a", "b", "c")] == [b"a", None, b"c"]


def test_a_report_counts_all_errors_and_keeps_the_last_hundred():
    tally = SessionTally()
    for number in range(250):
        tally.failed("http-503", f"{number} " + "x" * 5000)
    report = tally.report(session_id="s", title_id="t", end_reason="stopped", beats_sent=0, beats_lost=0)
    assert (report.error_count, len(report.errors)) == (250, 100)
    assert (report.errors[0][:13], report.errors[-1][:13]) == ("http-503: 150", "http-503: 249")
    assert max(map(len, report.errors)) == 1000


H264, HEVC, AV1 = "avc1.640028", "hvc1.2.4.L123.B0", "av01.0.08M.08"
MIXED = [
    ("a", H264, 360, 0.8), ("b", AV1, 360, 0.4), ("c", HEVC, 360, 0.5), ("d", H264, 720, 3.0), ("e", HEVC, 720, 1.6),
    ("f", AV1, 720, 1.3), ("g", HEVC, 2160, 9.0), ("h", H264, 1080, 5.0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rungs", "device", "settings", "chosen"),
    [
        ("abcdefgh", "desktop", {}, "bf"),
        ("abcdefgh", "tv-4k", {"codecs": ("hvc1", "avc1")}, "ceg"),
        ("abcdefgh", "desktop", {"codecs": ("avc1", "mp4a")}, "adh"),
        ("adegh", "tv-4k", {}, "adh"),
        ("adfh", "desktop", {}, "adh"),
        ("abcdefgh", "mobile", {"mixed_codecs": True}, "bcafed"),
    ],
    ids=["most-efficient", "what-it-decodes", "only-one", "hevc-at-the-top-alone", "av1-not-low-enough", "mixed"],
)
def test_a_session_stays_in_the_most_efficient_codec_that_goes_low_enough(rungs, device, settings, chosen):
    offered = sorted((mbps, name, codec, height) for name, codec, height, mbps in MIXED if name in rungs)
    title = Presentation(video=tuple(replace(video(n, h, codec=c), bitrate_bps=m * 1e6) for m, n, c, h in offered))
    assert "".join(track.rung for track in select_tracks(title, device=device, **settings).ladder) == chosen


@pytest.mark.parametrize(
    ("display", "rungs"),
    [
        (Display(width=640, height=360), ["360p"]),
        (Display(width=641, height=360), ["360p", "720p"]),
        (Display(width=640, height=360, pixel_ratio=2.0), ["360p", "720p"]),
        (Display(width=360, height=640), ["360p"]),
        (Display(width=3840, height=2160), ["360p", "720p", "1080p"]),
    ],
)
def test_no_rung_is_larger_than_the_first_that_fills_the_display(display, rungs):
    title = Presentation(video=(video("360p", 360), video("720p", 720), video("1080p", 1080)))
    assert [track.rung for track in select_tracks(title, device="desktop", display=display).ladder] == rungs


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
    sizes = list(segment_sizes(ladder, [known, None], known, 3))
    assert sizes[:2] == [(50_000.0, 360_000.0), (25_000.0, 180_000.0)]
    assert sizes[2] == sizes[1], "what is not there yet is like the last one that is"
    with_sound = segment_sizes(ladder, [known, None], known, 2, 64_000.0)
    assert with_sound[0] == (50_000.0 + 4 * 8_000.0, 360_000.0 + 4 * 8_000.0)
    hls = [replace(track, audio_group="a") for track in ladder]
    assert segment_sizes(hls, [known, None], known, 2, 64_000.0)[0] == (50_000.0 + 4 * 8_000.0, 360_000.0)
