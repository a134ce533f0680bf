"""Read a package as a player would and list what is wrong with it.

The manifests are parsed here anew, by rules of HLS (RFC 8216, Apple's authoring specification) and DASH-IF, from the
bytes in the store: nothing is taken over from the code that wrote them. Media is judged by size, not decoded.
"""

from __future__ import annotations

import posixpath
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Literal

from orchestration.media.cmaf import average_bitrate_bps, peak_bitrate_bps
from orchestration.media.objects import PackageRecord, media_prefix
from orchestration.store import ObjectStore, StoreError

AVERAGE_TOLERANCE = 0.1
DURATION_TOLERANCE_S = 0.1
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')
_MPD = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}
_ISO_SECONDS = re.compile(r"PT([0-9.]+)S")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong; an ``error`` must not be served.

    Attributes:
        rule: Short name, such as ``endlist``.
        where: File of the package.
    """

    severity: Literal["error", "warning"]
    rule: str
    where: str
    message: str


@dataclass(frozen=True, kw_only=True)
class _Playlist:
    """One media playlist as parsed; keys are below the title."""

    key: str
    tags: list[str]
    segment_keys: list[str]
    durations_s: list[float]

    def tag(self, name: str) -> str | None:
        found = next((line for line in self.tags if line == name or line.startswith(f"{name}:")), None)
        return None if found is None else found.partition(":")[2]


def check_package(store: ObjectStore, record: PackageRecord) -> list[Finding]:
    """Every finding on a package; an empty list is a clean bill."""
    return list(_findings(_Reader(store, record)))


def blocking(findings: list[Finding]) -> list[Finding]:
    """The findings that forbid serving a package."""
    return [finding for finding in findings if finding.severity == "error"]


class _Reader:
    """A package's objects by key, and the text of its manifests."""

    def __init__(self, store: ObjectStore, record: PackageRecord) -> None:
        self.store = store
        self.record = record
        self.sizes_bytes = {item.key: item.size_bytes for item in record.objects}

    def text(self, key: str) -> str:
        return self.store.read_bytes(media_prefix(self.record.title_id) + key).decode()

    def resolve(self, manifest_key: str, uri: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(manifest_key), uri))


def _error(rule: str, where: str, message: str) -> Finding:
    return Finding(severity="error", rule=rule, where=where, message=message)


def _findings(reader: _Reader) -> Iterator[Finding]:
    missing = list(_check_objects(reader))
    yield from missing
    record = reader.record
    for key in (record.hls_key, record.dash_key):
        if key not in reader.sizes_bytes:
            yield _error("manifest-listed", key, "the record names this manifest but does not list it as an object")
            return
    if any(finding.where.startswith("p/") for finding in missing):
        return
    yield from _check_hls(reader)
    yield from _check_dash(reader)


def _check_objects(reader: _Reader) -> Iterator[Finding]:
    for key, size_bytes in reader.sizes_bytes.items():
        try:
            found_bytes = reader.store.size_bytes(media_prefix(reader.record.title_id) + key)
        except StoreError:
            yield _error("object-exists", key, "listed in objects.json, not in the store")
            continue
        if found_bytes != size_bytes:
            yield _error("object-size", key, f"{found_bytes} bytes in the store, {size_bytes} in objects.json")


def _check_hls(reader: _Reader) -> Iterator[Finding]:
    master_key = reader.record.hls_key
    lines = reader.text(master_key).splitlines()
    if not lines or lines[0] != "#EXTM3U":
        yield _error("hls-header", master_key, "does not start with #EXTM3U")
        return
    if "#EXT-X-INDEPENDENT-SEGMENTS" not in lines:
        yield _error("independent-segments", master_key, "EXT-X-INDEPENDENT-SEGMENTS is missing")
    audio = [_attributes(line) for line in lines if line.startswith("#EXT-X-MEDIA:")]
    audio_playlists = []
    for attributes in audio:
        key = reader.resolve(master_key, attributes.get("URI", ""))
        playlist = yield from _read_playlist(reader, key)
        if playlist is not None:
            audio_playlists.append(playlist)
    peak_audio_bps = max((_measured_peak_bps(reader, playlist) for playlist in audio_playlists), default=0)
    average_audio_bps = max((_measured_average_bps(reader, playlist) for playlist in audio_playlists), default=0)

    groups = {attributes.get("GROUP-ID") for attributes in audio}
    video_playlists = []
    for number, line in enumerate(lines):
        if not line.startswith("#EXT-X-STREAM-INF:"):
            continue
        attributes = _attributes(line)
        uri = lines[number + 1] if number + 1 < len(lines) else ""
        playlist = yield from _read_playlist(reader, reader.resolve(master_key, uri))
        yield from _check_variant(reader, uri, attributes, groups, playlist, peak_audio_bps, average_audio_bps)
        if playlist is not None:
            video_playlists.append(playlist)
    if not video_playlists:
        yield _error("variants", master_key, "no variant can be played")
    yield from _check_same_cuts(video_playlists)
    yield from _check_key_frames(reader, lines, {playlist.segment_keys[0] for playlist in video_playlists})
    for playlist in [*video_playlists, *audio_playlists]:
        lasts_s = sum(playlist.durations_s)
        if abs(lasts_s - reader.record.duration_s) > reader.record.segment_duration_s:
            yield _error("duration", playlist.key, f"lasts {lasts_s:.2f} s, the title {reader.record.duration_s:.2f} s")


def _check_variant(
    reader: _Reader,
    uri: str,
    attributes: dict[str, str],
    groups: set[str | None],
    playlist: _Playlist | None,
    peak_audio_bps: int,
    average_audio_bps: int,
) -> Iterator[Finding]:
    for name in ("BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS", "RESOLUTION", "FRAME-RATE"):
        if not attributes.get(name):
            yield _error("variant-attributes", uri, f"{name} is missing")
            return
    if "AUDIO" in attributes and attributes["AUDIO"] not in groups:
        yield _error("audio-group", uri, f"audio group {attributes['AUDIO']!r} is not defined")
    if playlist is None:
        return
    declared_bps, declared_average_bps = int(attributes["BANDWIDTH"]), int(attributes["AVERAGE-BANDWIDTH"])
    has_audio = "AUDIO" in attributes
    peak_bps = _measured_peak_bps(reader, playlist) + (peak_audio_bps if has_audio else 0)
    average_bps = _measured_average_bps(reader, playlist) + (average_audio_bps if has_audio else 0)
    if declared_bps < 0.999 * peak_bps:
        yield _error("bandwidth", uri, f"BANDWIDTH is {declared_bps}, the measured peak {peak_bps}")
    if abs(declared_average_bps - average_bps) > AVERAGE_TOLERANCE * average_bps:
        yield _error("average-bandwidth", uri, f"AVERAGE-BANDWIDTH is {declared_average_bps}, measured {average_bps}")


def _read_playlist(reader: _Reader, key: str) -> Generator[Finding, None, _Playlist | None]:
    """Parse and check one media playlist; returns it, or None when it cannot be read."""
    if key not in reader.sizes_bytes:
        yield _error("playlist-listed", key, "a manifest names it, objects.json does not")
        return None
    playlist = _parse_playlist(reader, key)
    if playlist.tag("#EXT-X-ENDLIST") is None:
        yield _error("endlist", key, "EXT-X-ENDLIST is missing: players would take it for a live stream")
    if playlist.tag("#EXT-X-PLAYLIST-TYPE") != "VOD":
        yield _error("playlist-type", key, "EXT-X-PLAYLIST-TYPE is not VOD")
    init = _attributes(playlist.tag("#EXT-X-MAP") or "").get("URI")
    if init is None or reader.resolve(key, init) not in reader.sizes_bytes:
        yield _error("map", key, "EXT-X-MAP is missing or names no object of the package")
    target_s = int(playlist.tag("#EXT-X-TARGETDURATION") or 0)
    too_long = [duration for duration in playlist.durations_s if int(duration + 0.5) > target_s]
    if too_long:
        yield _error("target-duration", key, f"a segment of {max(too_long):.3f} s exceeds the target of {target_s} s")
    unlisted = [segment for segment in playlist.segment_keys if segment not in reader.sizes_bytes]
    if unlisted:
        yield _error("segment-listed", key, f"{len(unlisted)} segments are no objects, the first is {unlisted[0]}")
        return None
    if not playlist.segment_keys:
        yield _error("segments", key, "no segments")
        return None
    return playlist


def _parse_playlist(reader: _Reader, key: str) -> _Playlist:
    tags: list[str] = []
    segment_keys: list[str] = []
    durations_s: list[float] = []
    for line in reader.text(key).splitlines():
        if line.startswith("#EXTINF:"):
            durations_s.append(float(line.removeprefix("#EXTINF:").partition(",")[0]))
        elif line.startswith("#"):
            tags.append(line)
        elif line:
            segment_keys.append(reader.resolve(key, line))
    return _Playlist(key=key, tags=tags, segment_keys=segment_keys, durations_s=durations_s)


def _check_same_cuts(playlists: list[_Playlist]) -> Iterator[Finding]:
    if not playlists:
        return
    expected = playlists[0].durations_s
    for playlist in playlists[1:]:
        if playlist.durations_s != expected:
            yield _error("same-cuts", playlist.key, f"is cut at other points than {playlists[0].key}")


def _check_key_frames(reader: _Reader, master_lines: list[str], first_segments: set[str]) -> Iterator[Finding]:
    """Every rung needs an I-frame playlist, and every segment must start with a key frame."""
    covered = set()
    for line in master_lines:
        if not line.startswith("#EXT-X-I-FRAME-STREAM-INF:"):
            continue
        key = reader.resolve(reader.record.hls_key, _attributes(line).get("URI", ""))
        if key not in reader.sizes_bytes:
            yield _error("iframe-playlist", key, "the master names it, objects.json does not")
            continue
        playlist = _parse_playlist(reader, key)
        folder = posixpath.dirname(playlist.segment_keys[0])
        covered.add(folder)
        segments = {item for item in reader.sizes_bytes if posixpath.dirname(item) == folder and item.endswith(".m4s")}
        without = segments - set(playlist.segment_keys)
        if without:
            yield _error("key-frames", key, f"{len(without)} segments have no key frame, the first is {min(without)}")
    for segment in sorted(first_segments):
        if posixpath.dirname(segment) not in covered:
            where = posixpath.dirname(segment)
            yield Finding(severity="warning", rule="iframe-playlist", where=where, message="no I-frame playlist")


def _check_dash(reader: _Reader) -> Iterator[Finding]:
    key = reader.record.dash_key
    try:
        root = ElementTree.fromstring(reader.text(key))
    except ElementTree.ParseError as error:
        yield _error("mpd", key, f"is not XML: {error}")
        return
    if root.get("type") != "static":
        yield _error("mpd-type", key, "is not static")
    declared = _ISO_SECONDS.fullmatch(root.get("mediaPresentationDuration", ""))
    if declared is None or abs(float(declared[1]) - reader.record.duration_s) > reader.record.segment_duration_s:
        said = root.get("mediaPresentationDuration")
        yield _error("mpd-duration", key, f"declares {said}, the title lasts {reader.record.duration_s:.2f} s")
    ids = set()
    for adaptation_set in root.iterfind(".//mpd:AdaptationSet", _MPD):
        if adaptation_set.get("startWithSAP") != "1" or adaptation_set.get("segmentAlignment") != "true":
            yield _error("mpd-alignment", key, f"set {adaptation_set.get('id')}: startWithSAP and segmentAlignment")
        timelines = {}
        for representation in adaptation_set.iterfind("mpd:Representation", _MPD):
            rung = representation.get("id", "?")
            ids.add(rung)
            starts_s = yield from _check_representation(reader, key, representation, rung)
            timelines[rung] = starts_s
        if len(set(timelines.values())) > 1:
            yield _error("mpd-same-cuts", key, f"{', '.join(sorted(timelines))} are cut at different points")
    expected = {rendition.rung for rendition in reader.record.renditions}
    if ids != expected:
        yield _error("mpd-rungs", key, f"names {sorted(ids)}, the record {sorted(expected)}")


def _check_representation(
    reader: _Reader, key: str, representation: ElementTree.Element, rung: str
) -> Generator[Finding, None, tuple[float, ...]]:
    """Check one Representation; returns when its segments start and where the last one ends, in seconds."""
    for name in ("bandwidth", "codecs"):
        if not representation.get(name):
            yield _error("mpd-attributes", key, f"{rung}: {name} is missing")
    template = representation.find("mpd:SegmentTemplate", _MPD)
    if template is None:
        yield _error("mpd-template", key, f"{rung}: no SegmentTemplate")
        return ()
    timescale = int(template.get("timescale", 1))
    moment, starts = 0, []
    for entry in template.iterfind("mpd:SegmentTimeline/mpd:S", _MPD):
        moment = int(entry.get("t", moment))
        for _ in range(int(entry.get("r", 0)) + 1):
            starts.append(moment / timescale)
            moment += int(entry.get("d", 0))
    number = int(template.get("startNumber", 1))
    wanted = [template.get("initialization", "")]
    media = template.get("media", "")
    wanted += [media.replace("$Number%05d$", f"{number + index:05d}") for index in range(len(starts))]
    missing = [uri for uri in wanted if reader.resolve(key, uri) not in reader.sizes_bytes]
    if missing:
        yield _error("mpd-segments", key, f"{rung}: {len(missing)} files are no objects, the first is {missing[0]}")
    listed = sum(item.rung == rung and item.duration_s > 0 for item in reader.record.objects)
    if listed != len(starts):
        yield _error("mpd-segments", key, f"{rung}: {len(starts)} segments in the timeline, {listed} in objects.json")
    return (*starts, moment / timescale)


def _measured_peak_bps(reader: _Reader, playlist: _Playlist) -> int:
    sizes_bytes = [reader.sizes_bytes[key] for key in playlist.segment_keys]
    target_s = float(playlist.tag("#EXT-X-TARGETDURATION") or reader.record.segment_duration_s)
    return peak_bitrate_bps(sizes_bytes, playlist.durations_s, target_s)


def _measured_average_bps(reader: _Reader, playlist: _Playlist) -> int:
    return average_bitrate_bps([reader.sizes_bytes[key] for key in playlist.segment_keys], playlist.durations_s)


def _attributes(line: str) -> dict[str, str]:
    text = line.partition(":")[2] if line.startswith("#") else line
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(text)}
