"""Cut encoded files into CMAF segments with Shaka Packager, and read back what it made.

One set of segments per rendition serves HLS and DASH (ISO/IEC 23000-19). The packager's own manifests are read for what
only it knows (exact segment times, codec strings, byte ranges of key frames) and not kept: a package lists renditions
that may come from several runs, so `manifests.py` writes the manifests.
"""

from __future__ import annotations

import os
import re
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import msgspec

from orchestration.media.errors import PackagingError, ProtectionError
from orchestration.media.objects import Rendition
from orchestration.media.process import run_program
from orchestration.media.programs import find_packager
from orchestration.media.protection import ContentKeys, Protection, common_pssh
from orchestration.media.renditions import (
    INIT_NAME,
    RENDITION_SCHEMA_VERSION,
    KeyFrame,
    RenditionRecord,
    Segment,
)
from orchestration.media.settings import MediaSettings
from orchestration.store import file_sha256

TIMEOUT_S = 3600
PEAK_WINDOW = (0.5, 1.5)
_MPD = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}
_BYTE_RANGE = re.compile(r"#EXT-X-BYTERANGE:(\d+)@(\d+)")


@dataclass(frozen=True, kw_only=True)
class EncodedFile:
    """One encoded rendition before it is cut.

    Attributes:
        stream: Its number in the file; None for the first of its kind.
    """

    path: Path
    rendition_id: str
    rung: str
    kind: str
    stream: int | None = None
    language: str = "und"
    name: str = ""
    role: Literal["main", "commentary", "description"] = "main"


def cut_segments(
    encoded: Sequence[EncodedFile],
    settings: MediaSettings,
    folder: Path,
    protection: Protection | None = None,
    keys: ContentKeys | None = None,
) -> list[RenditionRecord]:
    """Cut every file into ``<folder>/<rendition_id>/`` and describe the result, in the order of ``encoded``.

    With a ``protection`` of scheme cenc or cbcs, the segments are encrypted under its ``keys``.

    Raises:
        ProgramError: The packager failed.
        PackagingError: Its output makes no sense.
    """
    command = [find_packager(), *(_stream_descriptor(item) for item in encoded)]
    command += [
        f"--segment_duration={settings.segment_duration_s:g}",
        f"--fragment_duration={settings.keyframe_interval_s:g}",  # each key frame gets its line in the I-frame playlist
        "--generate_static_live_mpd",
        "--use_fake_clock_for_muxer",  # no creation time: the same master gives the same bytes
        "--mpd_output=all.mpd",
        "--hls_master_playlist_output=all.m3u8",
        "--quiet",
    ]
    with _key_options(encoded, protection, keys, folder) as options:
        run_program([*command, *options], timeout_s=TIMEOUT_S, folder=folder)
    representations = _representations(folder / "all.mpd")
    records = [_describe(item, representations, settings, folder / item.rendition_id) for item in encoded]
    return records if protection is None else [_protected(record, protection) for record in records]


def peak_bitrate_bps(sizes_bytes: Sequence[int], durations_s: Sequence[float]) -> int:
    """The largest bit rate of any run of segments that lasts 0.5 to 1.5 target durations (RFC 8216, 4.1).

    A title shorter than half a target duration has no such run; its whole is taken then.
    """
    shortest_s, longest_s = (share * target_duration_s(durations_s) for share in PEAK_WINDOW)
    peak = 0.0
    for first in range(len(sizes_bytes)):
        size_bytes, duration_s = 0, 0.0
        for size, duration in zip(sizes_bytes[first:], durations_s[first:], strict=True):
            size_bytes += size
            duration_s += duration
            if duration_s > longest_s:
                break
            if duration_s >= shortest_s:
                peak = max(peak, size_bytes * 8 / duration_s)
    if peak == 0.0:
        peak = sum(sizes_bytes) * 8 / sum(durations_s)
    return int(peak) + 1


def average_bitrate_bps(sizes_bytes: Sequence[int], durations_s: Sequence[float]) -> int:
    """All bits over all seconds."""
    return int(sum(sizes_bytes) * 8 / sum(durations_s)) + 1


def target_duration_s(durations_s: Sequence[float]) -> int:
    """``EXT-X-TARGETDURATION``: the longest segment, rounded to whole seconds (RFC 8216, 4.3.3.1)."""
    return max(int(max(durations_s) + 0.5), 1)


@contextmanager
def _key_options(
    encoded: Sequence[EncodedFile], protection: Protection | None, keys: ContentKeys | None, folder: Path
) -> Iterator[list[str]]:
    """The packager's options for encryption; keys reach it by a file that is gone afterwards, not by its command."""
    if protection is None:
        yield []
        return
    if keys is None:
        raise ProtectionError("there is no secret to derive keys from; set MATINEE_SECRET")
    labels = []
    for item in encoded:
        key_id = protection.key_id(protection.group_of(item.kind))
        fields = {
            "label": item.rendition_id,
            "key_id": key_id,
            "key": keys.key_of(key_id).hex(),
            "iv": protection.vector(item.rendition_id).hex(),
        }
        labels.append(":".join(f"{name}={value}" for name, value in fields.items()))
    descriptor, name = tempfile.mkstemp(prefix="keys-", dir=folder)  # readable by this user alone
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"--keys={','.join(labels)}\n")
        yield [
            "--enable_raw_key_encryption",
            f"--flagfile={name}",
            f"--protection_scheme={protection.scheme}",
            f"--pssh={common_pssh(protection.key_ids).hex()}",
            "--clear_lead=0",
        ]
    finally:
        Path(name).unlink()


def _protected(record: RenditionRecord, protection: Protection) -> RenditionRecord:
    key_id = protection.key_id(protection.group_of(record.rendition.kind))
    rendition = msgspec.structs.replace(record.rendition, protection=protection.scheme, key_id=key_id)
    return msgspec.structs.replace(record, rendition=rendition)


def _stream_descriptor(item: EncodedFile) -> str:
    fields = {
        "in": str(item.path),
        "stream": item.kind if item.stream is None else str(item.stream),
        "init_segment": f"{item.rendition_id}/{INIT_NAME}",
        "segment_template": f"{item.rendition_id}/seg-$Number%05d$.m4s",
        "playlist_name": f"{item.rendition_id}/media.m3u8",
        "drm_label": item.rendition_id,
    }
    if item.kind == "video":
        fields["iframe_playlist_name"] = f"{item.rendition_id}/iframes.m3u8"
    else:
        fields |= {"hls_group_id": "audio", "hls_name": item.rung}
    return ",".join(f"{name}={value}" for name, value in fields.items())


def _representations(mpd: Path) -> dict[str, tuple[ElementTree.Element, ElementTree.Element]]:
    """(AdaptationSet, Representation) by rendition id."""
    found = {}
    for adaptation_set in ElementTree.parse(mpd).getroot().iterfind(".//mpd:AdaptationSet", _MPD):
        for representation in adaptation_set.iterfind("mpd:Representation", _MPD):
            template = representation.find("mpd:SegmentTemplate", _MPD)
            if template is not None:
                rendition_id = template.attrib["initialization"].partition("/")[0]
                found[rendition_id] = (adaptation_set, representation)
    return found


def _describe(
    item: EncodedFile,
    representations: dict[str, tuple[ElementTree.Element, ElementTree.Element]],
    settings: MediaSettings,
    folder: Path,
) -> RenditionRecord:
    if item.rendition_id not in representations:
        raise PackagingError(f"the packager made nothing of rung {item.rung} ({item.path.name})")
    adaptation_set, representation = representations[item.rendition_id]
    template = representation.find("mpd:SegmentTemplate", _MPD)
    assert template is not None
    timescale = int(template.attrib["timescale"])
    segments = _segments(template, folder, item)
    durations_s = [segment.duration_ticks / timescale for segment in segments]
    sizes_bytes = [segment.size_bytes for segment in segments]
    key_frames = _key_frames(folder / "iframes.m3u8") if item.kind == "video" else []
    frame_rate = representation.get("frameRate") or adaptation_set.get("frameRate") or ""
    channels = representation.find("mpd:AudioChannelConfiguration", _MPD)
    init = folder / INIT_NAME
    keyframe_sizes = [frame.size_bytes for frame in key_frames]
    keyframe_durations = [frame.duration_s for frame in key_frames]
    return RenditionRecord(
        schema_version=RENDITION_SCHEMA_VERSION,
        rendition=Rendition(
            rendition_id=item.rendition_id,
            rung=item.rung,
            kind="video" if item.kind == "video" else "audio",
            codecs=representation.attrib["codecs"],
            bitrate_bps=average_bitrate_bps(sizes_bytes, durations_s),
            peak_bitrate_bps=peak_bitrate_bps(sizes_bytes, durations_s),
            width=int(representation.get("width") or adaptation_set.get("width") or 0),
            height=int(representation.get("height") or adaptation_set.get("height") or 0),
            frame_rate=round(float(Fraction(frame_rate)), 3) if frame_rate else 0.0,
            language=item.language,
            name=item.name,
            role=item.role,
        ),
        timescale=timescale,
        frame_rate=str(Fraction(frame_rate)) if frame_rate else "",
        channels=int(channels.attrib["value"]) if channels is not None else 0,
        sample_rate_hz=int(representation.get("audioSamplingRate", 0)),
        init_size_bytes=init.stat().st_size,
        init_sha256=file_sha256(init),
        segments=segments,
        key_frames=key_frames,
        keyframe_peak_bps=peak_bitrate_bps(keyframe_sizes, keyframe_durations) if key_frames else 0,
        keyframe_average_bps=average_bitrate_bps(keyframe_sizes, keyframe_durations) if key_frames else 0,
    )


def _segments(template: ElementTree.Element, folder: Path, item: EncodedFile) -> list[Segment]:
    segments: list[Segment] = []
    moment = 0
    for entry in template.iterfind("mpd:SegmentTimeline/mpd:S", _MPD):
        moment = int(entry.get("t", moment))
        for _ in range(int(entry.get("r", 0)) + 1):
            file = folder / f"seg-{len(segments) + 1:05d}.m4s"
            if not file.is_file():
                raise PackagingError(f"the packager lists {file.name} of rung {item.rung} but did not write it")
            segments.append(
                Segment(
                    name=file.name,
                    start_ticks=moment,
                    duration_ticks=int(entry.attrib["d"]),
                    size_bytes=file.stat().st_size,
                    sha256=file_sha256(file),
                )
            )
            moment += int(entry.attrib["d"])
    if not segments:
        raise PackagingError(f"rung {item.rung} has no segment; is {item.path.name} empty?")
    return segments


def _key_frames(playlist: Path) -> list[KeyFrame]:
    """The entries of an I-frame playlist."""
    frames = []
    duration_s, size_bytes, offset_bytes = 0.0, 0, 0
    for line in playlist.read_text(encoding="utf-8").splitlines():
        if line.startswith("#EXTINF:"):
            duration_s = float(line.removeprefix("#EXTINF:").rstrip(","))
        elif found := _BYTE_RANGE.match(line):
            size_bytes, offset_bytes = int(found[1]), int(found[2])
        elif line and not line.startswith("#"):
            name = line.rpartition("/")[2]
            frame = KeyFrame(
                segment_name=name, offset_bytes=offset_bytes, size_bytes=size_bytes, duration_s=max(duration_s, 0.001)
            )
            frames.append(frame)
    return frames
