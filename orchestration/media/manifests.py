"""Write the manifests of a package from rendition records: HLS and DASH over one set of segments.

Records in, text out (RFC 8216 and ISO/IEC 23009-1): no file is read and nothing is measured here. URIs are relative to
the package's folder, so the same text works under any title and any host.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby
from xml.sax.saxutils import quoteattr

from orchestration.media.cmaf import target_duration_s
from orchestration.media.renditions import INIT_NAME, RenditionRecord

MASTER_NAME = "master.m3u8"
MPD_NAME = "manifest.mpd"
AUDIO_GROUP = "audio"
HLS_VERSION = 6


def write_manifests(records: Sequence[RenditionRecord]) -> dict[str, str]:
    """Every manifest of a package, by file name.

    Args:
        records: Video, largest first, then audio, the default language first. At least one video rendition.
    """
    texts = {MASTER_NAME: _master_playlist(records), MPD_NAME: _mpd(records)}
    for record in records:
        texts[playlist_name(record)] = _media_playlist(record)
        if record.key_frames:
            texts[keyframe_playlist_name(record)] = _keyframe_playlist(record)
    return texts


def playlist_name(record: RenditionRecord) -> str:
    """File name of a rendition's media playlist."""
    return f"{record.rendition.rung}.m3u8"


def keyframe_playlist_name(record: RenditionRecord) -> str:
    """File name of a rendition's I-frame playlist."""
    return f"{record.rendition.rung}-iframes.m3u8"


def _uri(record: RenditionRecord, name: str) -> str:
    return f"../../r/{record.rendition.rendition_id}/{name}"


def _split(records: Sequence[RenditionRecord]) -> tuple[list[RenditionRecord], list[RenditionRecord]]:
    video = [record for record in records if record.rendition.kind == "video"]
    return video, [record for record in records if record.rendition.kind == "audio"]


def _master_playlist(records: Sequence[RenditionRecord]) -> str:
    video, audio = _split(records)
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{HLS_VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS", ""]
    lines += [_audio_line(record, is_default=number == 0) for number, record in enumerate(audio)]
    for record in video:
        lines += [_stream_line(record, audio), playlist_name(record)]
    lines += [""] + [_keyframe_line(record) for record in video if record.key_frames]
    return "\n".join(lines) + "\n"


def _audio_line(record: RenditionRecord, *, is_default: bool) -> str:
    language = record.rendition.language
    attributes = [
        "TYPE=AUDIO",
        f'GROUP-ID="{AUDIO_GROUP}"',
        f'NAME="{language}"',
        *([] if language == "und" else [f'LANGUAGE="{language}"']),
        f"DEFAULT={'YES' if is_default else 'NO'}",
        "AUTOSELECT=YES",
        f'CHANNELS="{record.channels}"',
        f'URI="{playlist_name(record)}"',
    ]
    return "#EXT-X-MEDIA:" + ",".join(attributes)


def _stream_line(record: RenditionRecord, audio: Sequence[RenditionRecord]) -> str:
    rendition = record.rendition
    codecs = [rendition.codecs, *sorted({sound.rendition.codecs for sound in audio})]
    peak_bps = rendition.peak_bitrate_bps + max((sound.rendition.peak_bitrate_bps for sound in audio), default=0)
    average_bps = rendition.bitrate_bps + max((sound.rendition.bitrate_bps for sound in audio), default=0)
    attributes = [
        f"BANDWIDTH={peak_bps}",
        f"AVERAGE-BANDWIDTH={average_bps}",
        f'CODECS="{",".join(codecs)}"',
        f"RESOLUTION={rendition.width}x{rendition.height}",
        f"FRAME-RATE={float(Fraction(record.frame_rate)):.3f}",
        "VIDEO-RANGE=SDR",
        *([f'AUDIO="{AUDIO_GROUP}"'] if audio else []),
        "CLOSED-CAPTIONS=NONE",
    ]
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _keyframe_line(record: RenditionRecord) -> str:
    attributes = [
        f"BANDWIDTH={record.keyframe_peak_bps}",
        f"AVERAGE-BANDWIDTH={record.keyframe_average_bps}",
        f'CODECS="{record.rendition.codecs}"',
        f"RESOLUTION={record.rendition.width}x{record.rendition.height}",
        "VIDEO-RANGE=SDR",
        f'URI="{keyframe_playlist_name(record)}"',
    ]
    return "#EXT-X-I-FRAME-STREAM-INF:" + ",".join(attributes)


def _playlist_head(record: RenditionRecord, durations_s: Sequence[float], *tags: str) -> list[str]:
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{HLS_VERSION}",
        f"#EXT-X-TARGETDURATION:{target_duration_s(durations_s)}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        *tags,
        f'#EXT-X-MAP:URI="{_uri(record, INIT_NAME)}"',
    ]


def _media_playlist(record: RenditionRecord) -> str:
    durations_s = [record.segment_duration_s(segment) for segment in record.segments]
    lines = _playlist_head(record, durations_s, "#EXT-X-INDEPENDENT-SEGMENTS")
    for segment, duration_s in zip(record.segments, durations_s, strict=True):
        # Players that plan ahead want to know how large each segment really is.
        bitrate_kbps = max(1, round(segment.size_bytes * 8 / duration_s / 1000))
        lines += [f"#EXTINF:{duration_s:.6f},", f"#EXT-X-BITRATE:{bitrate_kbps}", _uri(record, segment.name)]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def _keyframe_playlist(record: RenditionRecord) -> str:
    lines = _playlist_head(record, [frame.duration_s for frame in record.key_frames], "#EXT-X-I-FRAMES-ONLY")
    for frame in record.key_frames:
        lines += [
            f"#EXTINF:{frame.duration_s:.3f},",
            f"#EXT-X-BYTERANGE:{frame.size_bytes}@{frame.offset_bytes}",
            _uri(record, frame.segment_name),
        ]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def _mpd(records: Sequence[RenditionRecord]) -> str:
    video, audio = _split(records)
    longest_segment_s = max(record.segment_duration_s(segment) for record in records for segment in record.segments)
    duration_s = max(record.duration_s for record in records)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static"'
        f' mediaPresentationDuration="{_iso_duration(duration_s)}"'
        f' maxSegmentDuration="{_iso_duration(math.ceil(longest_segment_s))}" minBufferTime="PT4S">',
        '  <Period id="0" start="PT0S">',
        *_video_set(video),
    ]
    for number, sound in enumerate(audio):
        lines += _audio_set(sound, set_id=number + 1, is_main=number == 0)
    return "\n".join([*lines, "  </Period>", "</MPD>"]) + "\n"


def _video_set(records: Sequence[RenditionRecord]) -> list[str]:
    largest = max((record.rendition for record in records), key=lambda rendition: rendition.width * rendition.height)
    lines = [
        '    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1"'
        f' maxWidth="{largest.width}" maxHeight="{largest.height}"'
        f' maxFrameRate="{records[0].frame_rate}">',
        '      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>',
    ]
    for record in records:
        rendition = record.rendition
        lines.append(
            f'      <Representation id="{rendition.rung}" bandwidth="{rendition.peak_bitrate_bps}"'
            f' codecs="{rendition.codecs}" width="{rendition.width}" height="{rendition.height}"'
            f' frameRate="{record.frame_rate}" sar="1:1">'
        )
        lines += [*_segment_template(record), "      </Representation>"]
    return [*lines, "    </AdaptationSet>"]


def _audio_set(record: RenditionRecord, *, set_id: int, is_main: bool) -> list[str]:
    rendition = record.rendition
    return [
        f'    <AdaptationSet id="{set_id}" contentType="audio" mimeType="audio/mp4" segmentAlignment="true"'
        f' startWithSAP="1" lang={quoteattr(rendition.language)}>',
        f'      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="{"main" if is_main else "alternate"}"/>',
        f'      <Representation id="{rendition.rung}" bandwidth="{rendition.peak_bitrate_bps}"'
        f' codecs="{rendition.codecs}" audioSamplingRate="{record.sample_rate_hz}">',
        '        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011"'
        f' value="{record.channels}"/>',
        *_segment_template(record),
        "      </Representation>",
        "    </AdaptationSet>",
    ]


def _segment_template(record: RenditionRecord) -> list[str]:
    lines = [
        f'        <SegmentTemplate timescale="{record.timescale}" initialization="{_uri(record, INIT_NAME)}"'
        f' media="{_uri(record, "seg-$Number%05d$.m4s")}" startNumber="1">',
        "          <SegmentTimeline>",
    ]
    start_ticks: int | None = record.segments[0].start_ticks
    for duration_ticks, run in groupby(segment.duration_ticks for segment in record.segments):
        repeats = len(list(run)) - 1
        start = "" if start_ticks is None else f' t="{start_ticks}"'
        repeat = f' r="{repeats}"' if repeats else ""
        lines.append(f'            <S{start} d="{duration_ticks}"{repeat}/>')
        start_ticks = None
    return [*lines, "          </SegmentTimeline>", "        </SegmentTemplate>"]


def _iso_duration(duration_s: float) -> str:
    return f"PT{duration_s:.3f}S"
