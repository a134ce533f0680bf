"""Write the manifests of a package from rendition records: HLS and DASH over one set of segments.

Records in, text out (RFC 8216 and ISO/IEC 23009-1): no file is read and nothing is measured here. URIs are relative to
the package's folder, so the same text works under any title and any host.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from orchestration.media.cmaf import target_duration_s
from orchestration.media.groups import (
    TEXT_GROUP,
    audio_groups,
    audio_lines,
    groups_of,
    label_and_role,
    rendition_uri,
    text_lines,
    text_playlist,
    text_set,
)
from orchestration.media.image_tracks import (
    STORYBOARD_PLAYLIST_NAME,
    STORYBOARD_TRACK_NAME,
    storyboard_playlist,
    storyboard_set,
    storyboard_stream_line,
    storyboard_track,
)
from orchestration.media.protection import COMMON_SYSTEM_ID, as_uuid, common_pssh_base64
from orchestration.media.renditions import INIT_NAME, RenditionRecord
from orchestration.media.storyboard import Storyboard

MASTER_NAME = "master.m3u8"
MASTER_AES_128_NAME = "master-aes-128.m3u8"
MPD_NAME = "manifest.mpd"
HLS_VERSION = 6
KEYS_PATH = "/v1/keys"
"""Where the playback API answers for keys: ``<key server>/v1/keys/<key id>`` and ``/v1/keys/license``."""
_HLS_METHODS = {"cenc": "SAMPLE-AES-CTR", "cbcs": "SAMPLE-AES", "aes-128": "AES-128"}
_HLS_CLEARKEY = "org.w3.clearkey"
_DASH_CLEARKEY = "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e"
_COMMON_SYSTEM = f"urn:uuid:{as_uuid(COMMON_SYSTEM_ID.hex())}"
_DASH_NAMESPACES = {
    "cenc": "urn:mpeg:cenc:2013",
    "clearkey": "http://dashif.org/guidelines/clearKey",
    "dashif": "https://dashif.org/CPS",
}


def write_manifests(
    records: Sequence[RenditionRecord], *, key_server_url: str = "", storyboard: Storyboard | None = None
) -> dict[str, str]:
    """Every manifest of a package, by file name.

    Args:
        records: Video, largest first, then audio, the default track first, then captions. At least one video
            rendition. Those of AES-128, which DASH does not know, get a master playlist of their own.
        key_server_url: Scheme and host where keys are asked for; empty for the host of the manifests.
        storyboard: Pictures to seek by, if they are made.
    """
    shared = [record for record in records if record.rendition.protection != "aes-128"]
    encrypted = [record for record in records if record.rendition.protection == "aes-128"]
    captions = [record for record in records if record.rendition.kind == "text"]
    texts = {
        MASTER_NAME: _master_playlist(shared, key_server_url, storyboard),
        MPD_NAME: _mpd(shared, key_server_url, storyboard),
    }
    if encrypted:
        texts[MASTER_AES_128_NAME] = _master_playlist([*encrypted, *captions], key_server_url, storyboard)
    for record in records:
        if record.rendition.kind == "text":
            texts[playlist_name(record)] = text_playlist(record, HLS_VERSION)
            continue
        texts[playlist_name(record)] = _media_playlist(record, key_server_url)
        if record.key_frames:
            texts[keyframe_playlist_name(record)] = _keyframe_playlist(record, key_server_url)
    if storyboard is not None:
        texts[STORYBOARD_TRACK_NAME] = storyboard_track(storyboard)
        texts[STORYBOARD_PLAYLIST_NAME] = storyboard_playlist(storyboard)
    return texts


def playlist_name(record: RenditionRecord) -> str:
    """File name of a rendition's media playlist."""
    return f"{record.rendition.rung}.m3u8"


def keyframe_playlist_name(record: RenditionRecord) -> str:
    """File name of a rendition's I-frame playlist."""
    return f"{record.rendition.rung}-iframes.m3u8"


def _of_kind(records: Sequence[RenditionRecord], kind: str) -> list[RenditionRecord]:
    return [record for record in records if record.rendition.kind == kind]


def _key_attributes(record: RenditionRecord, key_server_url: str) -> list[str]:
    """Attributes of each EXT-X-KEY and EXT-X-SESSION-KEY; none in the clear.

    Common Encryption is announced for the systems that DASH has: ClearKey, by which hls.js knows it, and the common
    system with its ``pssh`` box, as Widevine's is written. None has KEYFORMAT ``identity``, a key in the open: hls.js
    takes it first and then decrypts no fMP4.
    """
    rendition = record.rendition
    if rendition.protection == "none":
        return []
    method = f"METHOD={_HLS_METHODS[rendition.protection]}"
    if rendition.protection == "aes-128":
        return [f'{method},URI="{key_server_url}{KEYS_PATH}/{rendition.key_id}"']
    key_id = base64.b64encode(bytes.fromhex(rendition.key_id)).decode()
    systems = {_HLS_CLEARKEY: key_id, _COMMON_SYSTEM: common_pssh_base64([rendition.key_id])}
    return [
        f'{method},URI="data:text/plain;base64,{data}",KEYID=0x{rendition.key_id},'
        f'KEYFORMAT="{system}",KEYFORMATVERSIONS="1"'
        for system, data in systems.items()
    ]


def _master_playlist(records: Sequence[RenditionRecord], key_server_url: str, storyboard: Storyboard | None) -> str:
    video, text = _of_kind(records, "video"), _of_kind(records, "text")
    sounds = audio_groups(_of_kind(records, "audio"))
    names = {record.rendition.rung: playlist_name(record) for record in records}
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{HLS_VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS", ""]
    keys = dict.fromkeys(attributes for record in records for attributes in _key_attributes(record, key_server_url))
    lines += [f"#EXT-X-SESSION-KEY:{attributes}" for attributes in keys]
    lines += [*audio_lines(sounds, names), *text_lines(text, names)]
    # Rung by rung within a group: a player that knows one group alone finds all its rungs together.
    for group_id in sounds or [""]:
        for record in video:
            if not sounds or group_id in groups_of(record, sounds):
                lines += [_stream_line(record, group_id, sounds.get(group_id, []), has_text=bool(text))]
                lines += [playlist_name(record)]
    lines += [""] + [_keyframe_line(record) for record in video if record.key_frames]
    if storyboard is not None:
        lines.append(storyboard_stream_line(storyboard))
    return "\n".join(lines) + "\n"


def _stream_line(record: RenditionRecord, group_id: str, audio: Sequence[RenditionRecord], *, has_text: bool) -> str:
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
        *([f'AUDIO="{group_id}"'] if audio else []),
        *([f'SUBTITLES="{TEXT_GROUP}"'] if has_text else []),
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


def _playlist_head(record: RenditionRecord, durations_s: Sequence[float], key_server_url: str, *tags: str) -> list[str]:
    """The tags before the first segment. A key comes after the init segment, which is never encrypted as a whole."""
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{HLS_VERSION}",
        f"#EXT-X-TARGETDURATION:{target_duration_s(durations_s)}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        *tags,
        f'#EXT-X-MAP:URI="{rendition_uri(record, INIT_NAME)}"',
        *(f"#EXT-X-KEY:{attributes}" for attributes in _key_attributes(record, key_server_url)),
    ]


def _media_playlist(record: RenditionRecord, key_server_url: str) -> str:
    durations_s = [record.segment_duration_s(segment) for segment in record.segments]
    lines = _playlist_head(record, durations_s, key_server_url, "#EXT-X-INDEPENDENT-SEGMENTS")
    for segment, duration_s in zip(record.segments, durations_s, strict=True):
        # Players that plan ahead want to know how large each segment really is.
        bitrate_kbps = max(1, round(segment.size_bytes * 8 / duration_s / 1000))
        lines += [f"#EXTINF:{duration_s:.6f},", f"#EXT-X-BITRATE:{bitrate_kbps}", rendition_uri(record, segment.name)]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def _keyframe_playlist(record: RenditionRecord, key_server_url: str) -> str:
    durations_s = [frame.duration_s for frame in record.key_frames]
    lines = _playlist_head(record, durations_s, key_server_url, "#EXT-X-I-FRAMES-ONLY")
    for frame in record.key_frames:
        lines += [
            f"#EXTINF:{frame.duration_s:.3f},",
            f"#EXT-X-BYTERANGE:{frame.size_bytes}@{frame.offset_bytes}",
            rendition_uri(record, frame.segment_name),
        ]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def _mpd(records: Sequence[RenditionRecord], key_server_url: str, storyboard: Storyboard | None) -> str:
    video, audio, text = (_of_kind(records, kind) for kind in ("video", "audio", "text"))
    is_protected = any(record.rendition.protection != "none" for record in records)
    namespaces = "".join(f' xmlns:{name}="{uri}"' for name, uri in _DASH_NAMESPACES.items()) if is_protected else ""
    key_ids = sorted({record.rendition.key_id for record in [*video, *audio]})
    codec_sets = _by_codec(video)
    longest_segment_s = max(
        record.segment_duration_s(segment) for record in [*video, *audio] for segment in record.segments
    )
    duration_s = max(record.duration_s for record in [*video, *audio])
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"{namespaces}'
        ' profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static"'
        f' mediaPresentationDuration="{_iso_duration(duration_s)}"'
        f' maxSegmentDuration="{_iso_duration(math.ceil(longest_segment_s))}" minBufferTime="PT4S">',
        '  <Period id="0" start="PT0S">',
    ]
    for number, pictures in enumerate(codec_sets):
        protection = _content_protection(pictures[0], key_ids, key_server_url)
        lines += _video_set(pictures, protection, set_id=number)
    for number, sound in enumerate(audio):
        protection = _content_protection(sound, key_ids, key_server_url)
        is_main = sound.rendition.name == audio[0].rendition.name
        lines += _audio_set(sound, protection, set_id=len(codec_sets) + number, is_main=is_main)
    for number, captions in enumerate(text):
        lines += text_set(captions, set_id=len(codec_sets) + len(audio) + number)
    if storyboard is not None:
        lines += storyboard_set(storyboard, set_id=len(records))
    return "\n".join([*lines, "  </Period>", "</MPD>"]) + "\n"


def _by_codec(video: Sequence[RenditionRecord]) -> list[list[RenditionRecord]]:
    """Rungs of one codec each: a player switches freely within an AdaptationSet and so must decode all of it."""
    families: dict[str, list[RenditionRecord]] = {}
    for record in video:
        families.setdefault(record.rendition.codecs.partition(".")[0], []).append(record)
    return list(families.values())


def _content_protection(record: RenditionRecord, key_ids: Sequence[str], key_server_url: str) -> list[str]:
    """How a set is encrypted, which keys its title has, and where a ClearKey player asks for them (DASH-IF IOP 7)."""
    rendition = record.rendition
    if rendition.protection == "none":
        return []
    licence_url = f"{key_server_url}{KEYS_PATH}/license"
    return [
        '      <ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011"'
        f' value="{rendition.protection}" cenc:default_KID="{as_uuid(rendition.key_id)}"/>',
        f'      <ContentProtection schemeIdUri="{_COMMON_SYSTEM}">',
        f"        <cenc:pssh>{common_pssh_base64(key_ids)}</cenc:pssh>",
        "      </ContentProtection>",
        f'      <ContentProtection schemeIdUri="{_DASH_CLEARKEY}" value="ClearKey1.0">',
        f'        <clearkey:Laurl Lic_type="EME-1.0">{escape(licence_url)}</clearkey:Laurl>',
        f'        <dashif:Laurl licenseType="EME-1.0">{escape(licence_url)}</dashif:Laurl>',
        "      </ContentProtection>",
    ]


def _video_set(records: Sequence[RenditionRecord], protection: list[str], *, set_id: int) -> list[str]:
    largest = max((record.rendition for record in records), key=lambda rendition: rendition.width * rendition.height)
    lines = [
        f'    <AdaptationSet id="{set_id}" contentType="video" mimeType="video/mp4" segmentAlignment="true"'
        f' startWithSAP="1" maxWidth="{largest.width}" maxHeight="{largest.height}"'
        f' maxFrameRate="{records[0].frame_rate}">',
        *protection,
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


def _audio_set(record: RenditionRecord, protection: list[str], *, set_id: int, is_main: bool) -> list[str]:
    rendition = record.rendition
    return [
        f'    <AdaptationSet id="{set_id}" contentType="audio" mimeType="audio/mp4" segmentAlignment="true"'
        f' startWithSAP="1" lang={quoteattr(rendition.language)}>',
        *protection,
        *label_and_role(record, "main" if is_main else "alternate"),
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
        f'        <SegmentTemplate timescale="{record.timescale}" initialization="{rendition_uri(record, INIT_NAME)}"'
        f' media="{rendition_uri(record, "seg-$Number%05d$.m4s")}" startNumber="1">',
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
