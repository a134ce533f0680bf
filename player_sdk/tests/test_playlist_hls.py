import gc
import weakref
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from player_sdk.playlist import is_multivariant, parse_manifest, parse_media, parse_multivariant
from player_sdk.playlist.model import ByteRange, InitSegment, SegmentKey

from player_sdk import PlaylistError

MASTER = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-CONTENT-STEERING:SERVER-URI="/steer?x=1,2",PATHWAY-ID="edge-1"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English, main",LANGUAGE="en",DEFAULT=YES,URI="audio-en.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2500000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=25.000,AUDIO="audio"
720p.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=500000,CODECS="avc1.64000d,mp4a.40.2",RESOLUTION=426x240,AUDIO="audio"
240p.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=128000,CODECS="mp4a.40.2",AUDIO="audio"
audio-en.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,URI="720p-iframes.m3u8"
"""

MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="../../r/ab/init.mp4",BYTERANGE="812@0"
#EXT-X-BITRATE:800
#EXTINF:4.000,a title, with a comma
../../r/ab/seg-1.m4s
#EXTINF:4.000,
#EXT-X-BYTERANGE:1000@200
big.mp4
#EXTINF:2.5,
#EXT-X-BYTERANGE:500
big.mp4
#EXT-X-ENDLIST
"""


def test_variants_come_by_ascending_bit_rate_with_their_attributes():
    title = parse_multivariant(MASTER, "/media/t/p/1/master.m3u8")
    assert [track.rung for track in title.video] == ["240p", "720p"]
    top = title.video[1]
    assert (top.bitrate_bps, top.peak_bitrate_bps, top.width, top.height, top.frame_rate) == (
        2.5e6,
        3e6,
        1280,
        720,
        25.0,
    )
    assert top.codecs == ("avc1.64001f", "mp4a.40.2")
    assert top.uri == "/media/t/p/1/720p.m3u8"
    assert title.audio[0].uri == "/media/t/p/1/audio-en.m3u8"
    assert title.audio[0].audio_group == top.audio_group == "audio"
    assert (title.steering_uri, title.steering_pathway) == ("/steer?x=1,2", "edge-1")


def test_segments_follow_each_other_with_ranges_and_sizes():
    media = parse_media(MEDIA, "/media/t/p/1/720p.m3u8")
    assert media.segments[2].init == InitSegment(
        uri="/media/t/r/ab/init.mp4", byte_range=ByteRange(offset=0, length=812)
    )
    assert [segment.start_s for segment in media.segments] == [0.0, 4.0, 8.0]
    assert media.segments[0].uri == "/media/t/r/ab/seg-1.m4s"
    assert media.segments[0].size_bytes == 400_000  # 800 kbit/s for 4 s
    assert media.segments[1].byte_range == ByteRange(offset=200, length=1000)
    assert media.segments[2].byte_range == ByteRange(offset=1200, length=500)
    assert media.segments[2].byte_range.header() == "bytes=1200-1699"
    assert media.ended
    assert media.duration_s == 10.5


@pytest.mark.parametrize(
    ("position_s", "index"), [(0.0, 0), (3.9, 0), (3.9999, 1), (4.0, 1), (10.4, 2), (10.5, 3), (99.0, 3)]
)
def test_a_position_finds_its_segment(position_s, index):
    assert parse_media(MEDIA).number_at(position_s) == index


def test_rungs_of_one_height_are_told_apart_by_bit_rate():
    two = (
        MASTER.replace("RESOLUTION=426x240", "RESOLUTION=1280x720")
        .replace("240p.m3u8", "low.m3u8")
        .replace("\n720p.m3u8", "\nhigh.m3u8")
    )
    assert [track.rung for track in parse_multivariant(two).video] == ["720p-500k", "720p-2500k"]


def test_a_bare_media_playlist_is_a_ladder_of_one():
    title = parse_manifest(MEDIA, "http://h/x.m3u8")
    assert [len(track.media.segments) for track in title.video] == [3]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "#EXTM3U"),
        ("<html>", "#EXTM3U"),
        ("#EXTM3U\n", "no segments"),
        ("#EXTM3U\nseg.m4s", "without EXTINF"),
        ("#EXTM3U\n#EXTINF:abc,\nseg", "not a number"),
        ("#EXTM3U\n#EXTINF:-1,\nseg", "not a number"),
        ("#EXTM3U\n#EXTINF:nan,\nseg", "not a number"),
        ("#EXTM3U\n#EXTINF:1e30,\nseg", "not a number"),
        ("#EXTM3U\n#EXTINF:4,\n#EXT-X-BYTERANGE:x\nseg", "byte range"),
        ("#EXTM3U\n#EXTINF:4,\n#EXT-X-BYTERANGE:5\nseg", "without offset"),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\n#EXTINF:4,\nseg', "encrypted"),
        ("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128\n#EXTINF:4,\nseg", "without URI"),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k",IV=12\n#EXTINF:4,\nseg', "hexadecimal"),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXT-X-MAP:URI="i"\n#EXTINF:4,\nseg', "needs an IV"),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:x\n#EXTINF:4,\nseg", "whole number"),
        ("#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF:4,\nseg", "delta"),
        (MASTER, "multivariant"),
    ],
)
def test_what_cannot_be_played_is_refused_with_its_reason(text, complaint):
    with pytest.raises(PlaylistError, match=complaint):
        parse_media(text)


def test_a_multivariant_playlist_without_video_is_refused():
    with pytest.raises(PlaylistError, match="no video variant"):
        parse_multivariant('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="mp4a.40.2"\na.m3u8')


def segment_fields(text, *names):
    return [tuple(getattr(segment, name) for name in names) for segment in parse_media(text, "/m.m3u8").segments]


def test_what_changes_on_the_way_holds_for_what_follows():
    text = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:258
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:40.500Z
#EXT-X-KEY:METHOD=AES-128,URI="key?a=1,2"
#EXTINF:4,
a.ts
#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0xFF
#EXT-X-GAP
#EXTINF:4,
b.ts
#EXT-X-DISCONTINUITY
#EXT-X-KEY:METHOD=NONE
#EXT-X-MAP:URI="i.mp4"
#EXTINF:4,
c.mp4
"""
    assert segment_fields(text, "number", "discontinuity", "gap", "utc_s") == [
        (258, 3, False, 100.5),
        (259, 3, True, 104.5),
        (260, 4, False, None),
    ]
    keys = [segment.key for segment in parse_media(text, "/m.m3u8").segments]
    assert keys == [
        SegmentKey(uri="/key?a=1,2", iv=bytes(14) + b"\x01\x02"),
        SegmentKey(uri="/key", iv=bytes(15) + b"\xff"),
        None,
    ]
    assert segment_fields(text, "init") == [(None,), (None,), (InitSegment(uri="/i.mp4"),)]


def test_low_latency_parts_are_read_past():
    text = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-VERSION:9
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0,HOLD-BACK=13.5,CAN-SKIP-UNTIL=24
#EXT-X-PART-INF:PART-TARGET=0.33334
#EXT-X-MEDIA-SEQUENCE:10
#EXT-X-PART:DURATION=0.33334,URI="10.0.mp4",INDEPENDENT=YES
#EXTINF:4.00008,
10.mp4
#EXT-X-PART:DURATION=0.33334,URI="11.0.mp4"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="11.1.mp4"
#EXT-X-RENDITION-REPORT:URI="../1M/waitForMSN.php",LAST-MSN=10,LAST-PART=1
"""
    media = parse_media(text, "/m.m3u8")
    assert [segment.uri for segment in media.segments] == ["/10.mp4"]
    assert (media.ended, media.event, media.refresh_s, media.hold_back_s) == (False, False, 4.0, 13.5)


def test_subtitles_are_tracks_and_captions_inside_the_picture_are_not():
    title = parse_multivariant(
        """#EXTM3U
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Deutsch",LANGUAGE="de",URI="de.m3u8",STABLE-RENDITION-ID="sub-de"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="cc",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=1,SUBTITLES="s",STABLE-VARIANT-ID="v-1"
v.m3u8
"""
    )
    (text,) = title.text
    assert (text.rung, text.name, text.uri, text.stable_id) == ("text-de", "Deutsch", "de.m3u8", "sub-de")
    assert (title.video[0].text_group, title.video[0].stable_id) == (text.text_group, "v-1")


MORE = """#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1
#EXT-X-KEY:METHOD=NONE
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:7
#EXT-X-DISCONTINUITY
#EXT-X-GAP
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-SERVER-CONTROL:HOLD-BACK=9
#EXT-X-PART:DURATION=1,URI="p"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="n",URI="s.m3u8"
"""
LINES = st.sampled_from([*MASTER.splitlines(), *MEDIA.splitlines(), *MORE.splitlines(), "#EXTM3U"])
NOISE = st.text(max_size=30)
BROKEN = st.lists(st.one_of(LINES, NOISE, st.tuples(LINES, NOISE).map("".join)), max_size=25).map("\n".join)


@given(text=BROKEN.map(lambda body: f"#EXTM3U\n{body}"))
def test_whatever_a_server_sends_a_parser_answers_or_refuses(text):
    for parse in (parse_media, parse_multivariant, parse_manifest):
        try:
            result = parse(text, "/media/x/p/1/master.m3u8")
        except PlaylistError:
            continue
        assert result
    is_multivariant(text)


@given(durations=st.lists(st.floats(0.01, 20), min_size=1, max_size=40), position_s=st.floats(0, 900))
def test_every_position_before_the_end_is_in_the_segment_that_is_found(durations, position_s):
    text = "#EXTM3U\n" + "".join(f"#EXTINF:{duration:.6f},\ns{n}\n" for n, duration in enumerate(durations))
    media = parse_media(text)
    index = media.number_at(position_s)
    if index < len(media.segments):
        segment = media.segments[index]
        assert segment.start_s - 2e-3 <= position_s <= segment.end_s + 2e-3
    else:
        assert position_s >= media.duration_s - 2e-3


@given(
    base=st.sampled_from(["/a/b/m.m3u8", "http://h.test/a/m.m3u8?x=/1", "/m.m3u8;p=1", "m.m3u8", ""]),
    uri=st.text("ab./-~?#;:=% ", min_size=1, max_size=12).map(str.strip).filter(lambda uri: uri and uri[0] != "#"),
)
def test_where_a_segment_is_follows_from_where_its_playlist_is(base, uri):
    try:
        expected = urljoin(base, uri)
    except ValueError:
        return
    assert parse_media(f"#EXTM3U\n#EXTINF:4,\n{uri}\n", base).segments[0].uri == expected


class Text(str):
    """A text of which can be seen whether anybody has it."""


def test_sessions_that_play_the_same_share_its_playlist_and_leave_nothing_behind():
    text = Text("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n")
    first = parse_media(text, "/one/m.m3u8")
    assert parse_media("".join([*text]), "/one/m.m3u8") is first
    elsewhere = parse_media(text, "/two/m.m3u8")
    assert (first.segments[0].uri, elsewhere.segments[0].uri) == ("/one/a.ts", "/two/a.ts")
    kept_text, kept = weakref.ref(text), weakref.ref(first)
    del text
    gc.collect()
    assert kept_text() is None, "while it plays, its text is of no use"
    del first
    gc.collect()
    assert kept() is None
