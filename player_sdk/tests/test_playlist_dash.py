import pytest
from hypothesis import given
from hypothesis import strategies as st
from player_sdk.playlist import parse_manifest, parse_mpd

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
    <AdaptationSet contentType="text"><Representation id="sub" bandwidth="1"/></AdaptationSet>
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
    assert top.media.init_uri == "/media/t/r/aa/init.mp4"
    # r=-1 repeats to the end of the period
    assert [segment.uri for segment in low.media.segments] == [f"/media/t/p/1/240p/{t}.m4s" for t in (0, 4000, 8000)]
    assert title.duration_s == 10.5


def test_templates_by_duration_stop_at_the_end_of_the_presentation():
    audio = parse_mpd(MPD, "/m.mpd").audio[0]
    assert audio.rung == "audio-en"
    assert audio.media.init_uri is None
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
        ('type="static"', 'type="dynamic"', "only static"),
        ("<Period id", "<Period/><Period id", "2 periods"),
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


@given(start=st.integers(0, len(MPD)), length=st.integers(0, 60), noise=st.text(max_size=20))
def test_whatever_a_server_sends_is_read_or_refused(start, length, noise):
    text = MPD[:start] + noise + MPD[start + length :]
    for parse in (parse_mpd, parse_manifest):
        try:
            title = parse(text, "/media/x/p/1/manifest.mpd")
        except PlaylistError:
            continue
        assert title.video
