import contextlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from player_sdk.playlist import Segment, addressing, clock_source_of, parse_manifest, parse_mpd, with_index
from player_sdk.playlist.live import on_clock_of
from player_sdk.playlist.model import ByteRange, ClockSource, InitSegment

from player_sdk import PlaylistError

MPD = """<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT10.5S">
  <Period id="0" start="PT0S">
    <AdaptationSet id="0" contentType="video" mimeType="video/mp4">
      <Representation id="720p" bandwidth="2500000" codecs="avc1.64001f" width="1280" height="720" frameRate="25">
        <SegmentTemplate timescale="1000" initialization="../../r/aa/init.mp4"
            media="../../r/aa/seg-$Number%05d$.m4s" startNumber="1">
          <SegmentTimeline><S t="0" d="4000" r="1"/><S d="2500"/></SegmentTimeline>
        </SegmentTemplate>
      </Representation>
      <Representation id="240p" bandwidth="400000" codecs="avc1.64000d" width="426" height="240" frameRate="30000/1001">
        <SegmentTemplate timescale="1000" initialization="$RepresentationID$/init.mp4"
            media="$RepresentationID$/$Time$.m4s">
          <SegmentTimeline><S t="0" d="4000" r="-1"/></SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="1" contentType="audio" lang="en">
      <SegmentTemplate timescale="1" duration="4" media="a/$Bandwidth$-$Number$.m4s" startNumber="0"/>
      <Representation id="audio-en" bandwidth="128000" codecs="mp4a.40.2"/>
    </AdaptationSet>
    <AdaptationSet contentType="text" lang="de">
      <Representation id="sub" bandwidth="1"><BaseURL>sub.vtt</BaseURL></Representation>
    </AdaptationSet>
  </Period>
</MPD>
"""


def test_representations_become_tracks_with_their_segments():
    title = parse_mpd(MPD, "/media/t/p/1/manifest.mpd")
    assert [track.rung for track in title.video] == ["240p", "720p"]
    low, top = title.video
    assert (top.bitrate_bps, top.width, top.frame_rate) == (2.5e6, 1280, 25.0)
    assert low.frame_rate == pytest.approx(29.97, abs=0.01)
    assert [segment.uri for segment in top.media.segments] == [f"/media/t/r/aa/seg-0000{n}.m4s" for n in (1, 2, 3)]
    assert [segment.duration_s for segment in top.media.segments] == [4.0, 4.0, 2.5]
    assert top.media.segments[0].init.uri == "/media/t/r/aa/init.mp4"
    # r=-1 repeats to the end of the period
    assert [segment.uri for segment in low.media.segments] == [f"/media/t/p/1/240p/{t}.m4s" for t in (0, 4000, 8000)]
    assert title.duration_s == 10.5


def test_templates_by_duration_stop_at_the_end_of_the_presentation():
    audio = parse_mpd(MPD, "/m.mpd").audio[0]
    assert audio.rung == "audio-en"
    assert audio.media.segments[0].init is None
    assert [segment.uri for segment in audio.media.segments] == [
        "/a/128000-0.m4s",
        "/a/128000-1.m4s",
        "/a/128000-2.m4s",
    ]
    assert audio.media.duration_s == pytest.approx(10.5, abs=0.51)


def test_base_urls_add_up():
    text = MPD.replace("<Period ", "<BaseURL>http://cdn.test/x/</BaseURL><Period ")
    assert parse_mpd(text, "/m.mpd").audio[0].media.segments[0].uri == "http://cdn.test/x/a/128000-0.m4s"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('type="static"', 'type="dynamic"', "availabilityStartTime"),
        ('type="static"', 'type="other"', "neither"),
        ('d="4000" r="1"', 'd="0"', "at least 1"),
        ('d="4000" r="1"', 'd="4000" r="9999999"', "more than"),
        ('<S d="2500"/>', '<S t="1" d="2500"/>', "before the end"),
        ('bandwidth="2500000"', 'bandwidth="much"', "whole number"),
        ("PT10.5S", "soon", "duration"),
        ('contentType="video"', 'contentType="video"><ContentProtection/><x', "encrypted|not XML"),
        ("<?xml", '<!DOCTYPE x [<!ENTITY a "b">]><?xml', "entities"),
        ('contentType="video" mimeType="video/mp4"', 'contentType="font"', "no video"),
    ],
)
def test_what_cannot_be_played_is_refused_with_its_reason(old, new, complaint):
    assert old in MPD
    with pytest.raises(PlaylistError, match=complaint):
        parse_mpd(MPD.replace(old, new, 1))


def test_text_in_one_file_is_a_track_of_one_segment():
    (text,) = parse_mpd(MPD, "/p/m.mpd").text
    assert (text.rung, [segment.uri for segment in text.media.segments]) == ("text-de", ["/p/sub.vtt"])


PERIODS = """<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="P0Y0M0DT9S">
  <BaseURL>media/</BaseURL>
  <Period duration="PT4S"><BaseURL>one/</BaseURL>
    <SegmentTemplate duration="2" media="$RepresentationID$-$Number$.m4s" initialization="$RepresentationID$.mp4"/>
    <AdaptationSet contentType="video">
      <Representation id="a" bandwidth="100" height="240"/><Representation id="b" bandwidth="900" height="720"/>
    </AdaptationSet>
    <AdaptationSet contentType="audio" lang="en"><Representation id="c" bandwidth="50"/></AdaptationSet>
    <AdaptationSet contentType="audio" lang="fr"><Representation id="d" bandwidth="50"/></AdaptationSet>
  </Period>
  <Period><SegmentList duration="3000" timescale="1000"/>
    <AdaptationSet contentType="video">
      <EssentialProperty schemeIdUri="http://dashif.org/guidelines/trickmode" value="1"/>
      <Representation id="t" bandwidth="1"/>
    </AdaptationSet>
    <AdaptationSet contentType="video">
      <Representation id="z" bandwidth="800" height="720"><BaseURL>z.mp4</BaseURL>
        <SegmentList><Initialization range="0-99"/>
          <SegmentURL mediaRange="100-199"/><SegmentURL mediaRange="200-249"/></SegmentList>
      </Representation>
      <Representation id="y" bandwidth="90" height="240"><BaseURL>y/</BaseURL>
        <SegmentList><Initialization sourceURL="i.mp4"/>
          <SegmentURL media="1.m4s"/><SegmentURL media="2.m4s"/></SegmentList>
      </Representation>
    </AdaptationSet>
    <AdaptationSet contentType="audio" lang="en"><Representation id="e" bandwidth="60"><BaseURL>e.mp4</BaseURL>
      <SegmentBase indexRange="20-90" presentationTimeOffset="7"><Initialization range="0-19"/></SegmentBase>
    </Representation></AdaptationSet>
  </Period>
</MPD>"""


def test_periods_follow_each_other_in_the_tracks_that_are_most_alike():
    title = parse_mpd(PERIODS, "/p/m.mpd")
    low, top = (track.media.segments for track in title.video)
    assert [(one.number, one.start_s, one.duration_s) for one in top] == [
        (0, 0.0, 2.0), (1, 2.0, 2.0), (2, 4.0, 3.0), (3, 7.0, 2.0),
    ]  # fmt: skip
    assert [one.uri for one in low] == [
        f"/p/media/{name}" for name in ("one/a-1.m4s", "one/a-2.m4s", "y/1.m4s", "y/2.m4s")
    ]
    assert [one.byte_range for one in top[2:]] == [ByteRange(offset=100, length=100), ByteRange(offset=200, length=50)]
    assert [one.discontinuity for one in top] == [0, 0, 1, 1]
    assert [one.init for one in top[1:3]] == [
        InitSegment(uri="/p/media/one/b.mp4"),
        InitSegment(uri="/p/media/z.mp4", byte_range=ByteRange(offset=0, length=100)),
    ]
    assert low[3].init == InitSegment(uri="/p/media/y/i.mp4")
    assert [track.language for track in title.audio] == ["en"], "what a period does not have is left out"
    assert title.audio[0].media.first_unindexed.index_range == ByteRange(offset=20, length=71)
    assert title.duration_s == 9.0


def sidx(*references, version=0, first_offset=0, timescale=10):
    times = struct.pack(">II" if version == 0 else ">QQ", 0, first_offset)
    body = bytes([version, 0, 0, 0]) + struct.pack(">II", 1, timescale) + times + struct.pack(">HH", 0, len(references))
    body += b"".join(struct.pack(">III", size, duration, 0) for size, duration in references)
    return struct.pack(">I4s", len(body) + 8, b"sidx") + body


@pytest.mark.parametrize("version", [0, 1])
def test_an_index_cuts_its_file(version):
    media = parse_mpd(PERIODS, "/p/m.mpd").audio[0].media
    index = sidx((1000, 30), (500, 20), version=version, first_offset=8)
    cut = with_index(media, media.first_unindexed, b"\0\0\0\x08free" + index)
    first = 20 + 8 + len(index) + 8
    assert [(one.number, one.start_s, one.byte_range) for one in cut.segments[2:]] == [
        (2, 4.0, ByteRange(offset=first, length=1000)),
        (3, 7.0, ByteRange(offset=first + 1000, length=500)),
    ]
    assert cut.first_unindexed is None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "holds none"),
        (sidx()[:20], "cut off"),
        (sidx(), "without"),
        (sidx((1, 1), timescale=0), "without"),
        (sidx((2**31 + 1, 1)), "index of indexes"),
        (sidx((5, 0)), "is empty"),
        (sidx((5, 1), (5, 1))[:-4], "cut off"),
    ],
)
def test_what_is_no_index_is_refused(content, complaint):
    media = parse_mpd(PERIODS, "/p/m.mpd").audio[0].media
    with pytest.raises(PlaylistError, match=complaint):
        with_index(media, media.first_unindexed, content)


@given(content=st.binary(max_size=80).map(lambda noise: sidx((9, 9))[: len(noise)] + noise))
def test_any_bytes_are_an_index_or_refused(content):
    media = parse_mpd(PERIODS, "/p/m.mpd").audio[0].media
    with contextlib.suppress(PlaylistError):
        assert with_index(media, media.first_unindexed, content).first_unindexed is None


LIVE = """<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="1970-01-01T00:00:00Z"
  timeShiftBufferDepth="PT10S" minimumUpdatePeriod="PT3S" suggestedPresentationDelay="PT6S">
  <Location>elsewhere.mpd</Location>
  <UTCTiming schemeIdUri="urn:example:other" value="x"/>
  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="time http://t/"/>
  <Period id="p" start="PT100S"><AdaptationSet contentType="video">
    <SegmentTemplate timescale="10" duration="20" startNumber="5" media="$Number$.m4s"/>
    <Representation id="v" bandwidth="1"/>
  </AdaptationSet></Period>
  <Period id="early"/>
</MPD>"""


def test_a_live_template_offers_what_is_complete_and_still_kept():
    title = parse_mpd(LIVE, "/p/m.mpd", 121.9)
    (track,) = title.video
    # 21.9 s into the period: ten segments of 2 s are complete, and what ended before 11.9 s is gone
    assert [(one.number, one.start_s, one.uri) for one in track.media.segments] == [
        (number, 100.0 + 2.0 * number, f"/p/{number + 5}.m4s") for number in range(5, 10)
    ]
    assert (track.media.ended, track.media.refresh_s, track.media.hold_back_s) == (False, 3.0, 6.0)
    assert (title.duration_s, title.reload_uri) == (None, "/p/elsewhere.mpd")
    assert clock_source_of(LIVE, "/p/m.mpd") == ClockSource(scheme="http-iso", value="/p/time")
    assert clock_source_of(LIVE.replace('"dynamic"', '"static"'), "/p/m.mpd") is None


def test_a_live_timeline_that_repeats_goes_as_far_as_now():
    timeline = '<SegmentTimeline><S t="0" d="20" r="-1"/></SegmentTimeline></SegmentTemplate>'
    text = LIVE.replace('duration="20" startNumber="5" media="$Number$.m4s"/>', f'media="$Time$.m4s">{timeline}')
    segments = parse_mpd(text, "/p/m.mpd", 121.9).video[0].media.segments
    assert [one.uri for one in segments] == [f"/p/{time}.m4s" for time in range(100, 200, 20)]


def test_a_live_period_that_has_begun_but_has_nothing_yet_is_empty():
    assert not parse_mpd(LIVE, "/p/m.mpd", 101.0).video[0].media.segments


SHORT = """<MPD type="dynamic" availabilityStartTime="1970-01-01T00:00:00Z"><Period start="PT0S">
<AdaptationSet contentType="video"><SegmentTemplate timescale="1000" media="$RepresentationID$-$Time$.m4s" {even}>
{timeline}</SegmentTemplate><Representation id="a" bandwidth="1"/><Representation id="b" bandwidth="2"/>
</AdaptationSet></Period></MPD>"""
REPEATED = SHORT.format(even="", timeline='<SegmentTimeline><S t="0" d="2" r="-1"/></SegmentTimeline>')
EVEN = SHORT.format(even='duration="2"', timeline="")


@pytest.mark.parametrize("text", [REPEATED, EVEN])
def test_of_many_segments_only_those_are_made_that_are_looked_at(text, monkeypatch):
    made = []

    def counted(**fields):
        made.append(fields["uri"])
        return Segment(**fields)

    monkeypatch.setattr(addressing, "Segment", counted)
    media = parse_mpd(text, "/m.mpd", 100.0).video[0].media
    assert (len(media.segments), made) == (50_000, ["/a-0.m4s", "/b-0.m4s"])
    assert media.segment(media.number_at(60.0)).uri == "/a-60000.m4s"
    assert len(made) - 2 <= 2 * math.log2(50_000), "a search, not a walk"


def test_sound_of_a_live_presentation_keeps_its_times_though_its_numbers_are_others():
    sound = """<AdaptationSet contentType="audio"><SegmentTemplate timescale="10" duration="5" media="$Time$"/>
        <Representation id="s" bandwidth="1"/></AdaptationSet></Period>"""
    title = parse_mpd(LIVE.replace("</Period>", sound), "/p/m.mpd", 121.9)
    video, audio = title.video[0].media, title.audio[0].media
    assert set(range(video.first_number, video.end_number)).isdisjoint(range(audio.first_number, audio.end_number))
    assert on_clock_of(video, audio).segments[0].start_s == 111.5


@given(
    text=st.sampled_from([MPD, PERIODS, LIVE]),
    start=st.floats(0, 1),
    length=st.integers(0, 60),
    noise=st.text(max_size=20)
    | st.sampled_from(["-1", "1e9", "PT0S", "99999999999999999", 'r="-1"', "$Time$", "<S/>"]),
    utc_s=st.floats(-1e9, 1e11),
)
def test_whatever_a_server_sends_is_read_or_refused(text, start, length, noise, utc_s):
    start = int(start * len(text))
    text = text[:start] + noise + text[start + length :]
    for parse in (parse_mpd, parse_manifest):
        try:
            title = parse(text, "/media/x/p/1/manifest.mpd", utc_s)
        except PlaylistError:
            continue
        assert title.video
