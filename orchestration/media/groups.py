"""The sound and caption groups of manifests: which renditions go together, and the lines that say so.

A variant of HLS names one sound group and one caption group. Sound groups differ in codec and channels and hold every
track of the title, so a viewer's language is there whichever of them a player takes; a track without 5.1 stands in the
surround group in stereo.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from orchestration.media.cmaf import target_duration_s
from orchestration.media.languages import UNKNOWN
from orchestration.media.renditions import RenditionRecord

AUDIO_GROUP, SURROUND_GROUP, OPUS_GROUP = "audio", "audio-surround", "audio-opus"
TEXT_GROUP = "text"
_WITH_OPUS = ("vp09", "av01")
_HLS_CHARACTERISTICS = {
    "description": "public.accessibility.describes-video",
    "captions": "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound",
}
_DASH_ROLES = {
    "commentary": "commentary", "description": "description", "subtitles": "subtitle", "captions": "caption",
    "forced": "forced-subtitle",
}  # fmt: skip
_DASH_PURPOSES = {"description": "1", "captions": "2"}
"""TV-Anytime's AudioPurposeCS: for the visually impaired, for the hard of hearing."""

AudioGroups = dict[str, list[RenditionRecord]]


def audio_groups(audio: Sequence[RenditionRecord]) -> AudioGroups:
    """The sound groups by id, in the order in which variants offer them; empty for a silent film."""
    opus = [record for record in audio if record.rendition.codecs == "opus"]
    stereo = [record for record in audio if record not in opus and record.channels <= 2]
    surround = {_track(record): record for record in audio if record not in opus and record.channels > 2}
    groups = {AUDIO_GROUP: stereo or list(surround.values())}
    if stereo and surround:
        groups[SURROUND_GROUP] = [surround.get(_track(record), record) for record in stereo]
    if opus:
        groups[OPUS_GROUP] = opus
    return {group_id: records for group_id, records in groups.items() if records}


def groups_of(video: RenditionRecord, groups: AudioGroups) -> list[str]:
    """The sound groups that go with a rung: Opus with VP9 and AV1, AAC with all else."""
    if OPUS_GROUP in groups and video.rendition.codecs.startswith(_WITH_OPUS):
        return [OPUS_GROUP]
    return [group_id for group_id in groups if group_id != OPUS_GROUP] or list(groups)


def audio_lines(groups: AudioGroups, playlist_names: dict[str, str]) -> list[str]:
    """An ``EXT-X-MEDIA`` for each member of each group; ``playlist_names`` by rung."""
    lines = []
    for group_id, records in groups.items():
        chosen: set[tuple[str, str]] = set()
        for record in records:
            is_default = record is records[0]
            attributes = [
                "TYPE=AUDIO",
                f'GROUP-ID="{group_id}"',
                *_choice(record, chosen, is_default=is_default),
                f"DEFAULT={'YES' if is_default else 'NO'}",
                f'CHANNELS="{record.channels}"',
                f'URI="{playlist_names[record.rendition.rung]}"',
            ]
            lines.append("#EXT-X-MEDIA:" + ",".join(attributes))
    return lines


def text_lines(text: Sequence[RenditionRecord], playlist_names: dict[str, str]) -> list[str]:
    """An ``EXT-X-MEDIA`` for each captions; none is shown unasked but forced ones, which players show by themselves."""
    lines = []
    chosen: set[tuple[str, str]] = set()
    for record in text:
        attributes = [
            "TYPE=SUBTITLES",
            f'GROUP-ID="{TEXT_GROUP}"',
            *_choice(record, chosen, is_default=False),
            "DEFAULT=NO",
            f"FORCED={'YES' if record.rendition.role == 'forced' else 'NO'}",
            f'URI="{playlist_names[record.rendition.rung]}"',
        ]
        lines.append("#EXT-X-MEDIA:" + ",".join(attributes))
    return lines


def text_playlist(record: RenditionRecord, version: int) -> str:
    """The media playlist of captions: one segment, which is the whole file."""
    segment = record.segments[0]
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{version}",
        f"#EXT-X-TARGETDURATION:{target_duration_s([record.duration_s])}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f"#EXTINF:{record.duration_s:.6f},",
        rendition_uri(record, segment.name),
        "#EXT-X-ENDLIST",
    ]
    return "\n".join(lines) + "\n"


def text_set(record: RenditionRecord, *, set_id: int) -> list[str]:
    """The ``AdaptationSet`` of captions, which players load as one file (ISO/IEC 23009-1, 5.3.9.2.1)."""
    rendition = record.rendition
    return [
        f'    <AdaptationSet id="{set_id}" contentType="text" mimeType="text/vtt"'
        f" lang={quoteattr(rendition.language)}>",
        *label_and_role(record, "subtitle"),
        f'      <Representation id="{rendition.rung}" bandwidth="{rendition.peak_bitrate_bps}">',
        f"        <BaseURL>{rendition_uri(record, record.segments[0].name)}</BaseURL>",
        "      </Representation>",
        "    </AdaptationSet>",
    ]


def label_and_role(record: RenditionRecord, plain_role: str) -> list[str]:
    """What an ``AdaptationSet`` of sound or captions says for choosing; ``plain_role`` where the track has no other."""
    rendition = record.rendition
    lines = [f"      <Label>{escape(rendition.name)}</Label>"] if rendition.name else []
    if purpose := _DASH_PURPOSES.get(rendition.role):
        scheme = "urn:tva:metadata:cs:AudioPurposeCS:2007"
        lines.append(f'      <Accessibility schemeIdUri="{scheme}" value="{purpose}"/>')
    role = _DASH_ROLES.get(rendition.role, plain_role)
    return [*lines, f'      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="{role}"/>']


def _track(record: RenditionRecord) -> str:
    """What the renditions of one track have in common."""
    return record.rendition.name or record.rendition.language


def _choice(record: RenditionRecord, chosen: set[tuple[str, str]], *, is_default: bool) -> list[str]:
    """Name and language; ``AUTOSELECT`` for the first of each kind alone, for the others cannot be told apart by it.

    Nobody gets a commentary unasked, but where there is nothing else: a default must be one that is selected
    (RFC 8216, 4.3.4.1).
    """
    rendition = record.rendition
    kind = (rendition.language, rendition.role)
    is_selected = is_default or (kind not in chosen and rendition.role != "commentary")
    chosen.add(kind)
    characteristics = _HLS_CHARACTERISTICS.get(rendition.role)
    return [
        f'NAME="{_track(record)}"',
        *([] if rendition.language == UNKNOWN else [f'LANGUAGE="{rendition.language}"']),
        f"AUTOSELECT={'YES' if is_selected else 'NO'}",
        *([f'CHARACTERISTICS="{characteristics}"'] if characteristics else []),
    ]


def rendition_uri(record: RenditionRecord, name: str) -> str:
    """A file of a rendition, as seen from a package's folder."""
    return f"../../r/{record.rendition.rendition_id}/{name}"
