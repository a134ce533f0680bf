"""HLS rules: RFC 8216 and Apple's authoring specification for devices, on a multivariant playlist and all below it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from orchestration.media.check.codecs import same_codec
from orchestration.media.check.findings import Finding, error
from orchestration.media.check.images import check_image_playlists
from orchestration.media.check.keys import check_common_encryption, check_keys
from orchestration.media.check.media import MediaFacts, RenditionFacts
from orchestration.media.check.package import CheckedPackage
from orchestration.media.check.playlist import Playlist, attributes, parse_playlist, read_number
from orchestration.media.check.rates import TOLERANCE_SHARE, average_bps, peak_bps
from orchestration.media.check.timing import (
    DURATION_TOLERANCE_S,
    FRAME_RATE_TOLERANCE,
    TIME_TOLERANCE_S,
    same_cuts,
)

VERSION_WITH_MAP, LEAST_VERSION = 6, 3
"""RFC 8216, 7: EXT-X-MAP outside of I-frame playlists, and durations that are no whole numbers."""
_RANGES = {16: "PQ", 18: "HLG"}
_VARIANT_ATTRIBUTES = ("BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS", "RESOLUTION", "FRAME-RATE")
_GROUPS = {"AUDIO": "audio-group", "SUBTITLES": "subtitles-group"}
_TEXT_CODECS = frozenset({"wvtt", "stpp.ttml.im1t"})


@dataclass(kw_only=True)
class _Presentation:
    """What has been read below one multivariant playlist."""

    groups: dict[str, list[_Track]] = field(default_factory=dict)
    video: list[_Track] = field(default_factory=list)
    key_frames: dict[str, list[tuple[str, dict[str, str], Playlist]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Track:
    """A media playlist that can be read, and the media behind it as far as it can be."""

    playlist: Playlist
    facts: RenditionFacts | None
    sizes_bytes: list[int]

    @property
    def durations_s(self) -> list[float]:
        """Of the media where it can be read, else what the playlist says."""
        if self.facts is not None and self.facts.sound:
            return [self.facts.duration_s(name) for name in self.playlist.segment_keys]
        return self.playlist.durations_s

    @property
    def peak_bps(self) -> int:
        return peak_bps(self.sizes_bytes, self.durations_s)

    @property
    def average_bps(self) -> int:
        return average_bps(self.sizes_bytes, self.durations_s)


def check_hls(package: CheckedPackage, media: MediaFacts, key: str) -> Generator[Finding, None, set[str]]:
    """Check a multivariant playlist and everything that it names; returns the files of the renditions it presents."""
    text = package.read_text(key)
    if text is None:
        return set()
    lines = text.splitlines()
    if not lines or lines[0] != "#EXTM3U":
        yield error("hls-header", key, "does not start with #EXTM3U")
        return set()
    if "#EXT-X-INDEPENDENT-SEGMENTS" not in lines:
        yield error("independent-segments", key, "EXT-X-INDEPENDENT-SEGMENTS is missing")
    presentation = _Presentation()
    yield from _read_groups(package, media, key, lines, presentation)
    yield from _read_key_frames(package, key, lines, presentation)
    variants = yield from _read_variants(package, media, key, lines, presentation)
    if not presentation.video:
        yield error("variants", key, "no variant can be played")
    for uri, line, track in variants:
        yield from _check_variant(uri, line, track, presentation)
    yield from check_image_playlists(package, key, lines)
    yield from _check_same_cuts(presentation.video)
    for track in presentation.video:
        yield from _check_key_frames(package, track, presentation)
    tracks = presentation.video + [track for group in presentation.groups.values() for track in group]
    for track in tracks:
        yield from _check_media(package, track)
    session_keys = [attributes(line) for line in lines if line.startswith("#EXT-X-SESSION-KEY:")]
    playlists = {track.playlist.key: track.playlist for track in tracks}
    playlists |= {one.key: one for named in presentation.key_frames.values() for _, _, one in named}
    for playlist in playlists.values():
        yield from check_keys(playlist, session_keys)
    return {file for track in tracks for file in (track.playlist.map_key or track.playlist.segment_keys[0],) if file}


def _read_groups(
    package: CheckedPackage, media: MediaFacts, key: str, lines: list[str], presentation: _Presentation
) -> Iterator[Finding]:
    members: dict[str, set[str]] = {}
    defaults: set[str] = set()
    for line in lines:
        if not line.startswith("#EXT-X-MEDIA:"):
            continue
        named = attributes(line)
        missing = [name for name in ("TYPE", "GROUP-ID", "NAME") if not named.get(name)]
        if missing:
            yield error("media-attributes", key, f"an EXT-X-MEDIA has no {', '.join(missing)}")
        name = f"{named.get('TYPE')}:{named.get('GROUP-ID')}"
        if named.get("NAME", "") in members.setdefault(name, set()):
            yield error("media-name", key, f"two members of group {name} are called {named.get('NAME')}")
        members[name].add(named.get("NAME", ""))
        if named.get("DEFAULT") == "YES":
            if name in defaults:
                yield error("media-default", key, f"group {name} has two defaults")
            if named.get("AUTOSELECT", "YES") != "YES":
                yield error("media-default", key, f"the default of group {name} is not to be selected")
            defaults.add(name)
        group = presentation.groups.setdefault(name, [])
        if "URI" in named:
            track = yield from _read_track(package, media, key, named["URI"])
            if track is not None:
                group.append(track)


def _read_variants(
    package: CheckedPackage, media: MediaFacts, key: str, lines: list[str], presentation: _Presentation
) -> Generator[Finding, None, list[tuple[str, dict[str, str], _Track | None]]]:
    variants = []
    known: dict[str, _Track | None] = {}
    for line, uri in zip(lines, [*lines[1:], ""], strict=True):
        if not line.startswith("#EXT-X-STREAM-INF:"):
            continue
        if uri not in known:
            known[uri] = yield from _read_track(package, media, key, uri)
            if (track := known[uri]) is not None:
                presentation.video.append(track)
        variants.append((uri, attributes(line), known[uri]))
    return variants


def _read_key_frames(
    package: CheckedPackage, key: str, lines: list[str], presentation: _Presentation
) -> Iterator[Finding]:
    for line in lines:
        if not line.startswith("#EXT-X-I-FRAME-STREAM-INF:"):
            continue
        named = attributes(line)
        uri = named.get("URI", "")
        playlist = yield from _read_playlist(package, key, uri)
        if playlist is None:
            continue
        if "#EXT-X-I-FRAMES-ONLY" not in playlist.tags:
            yield error("iframes-only", playlist.key, "EXT-X-I-FRAMES-ONLY is missing")
        presentation.key_frames.setdefault(playlist.map_key or "", []).append((uri, named, playlist))


def _read_track(
    package: CheckedPackage, media: MediaFacts, key: str, uri: str
) -> Generator[Finding, None, _Track | None]:
    playlist = yield from _read_playlist(package, key, uri)
    if playlist is None:
        return None
    facts = None
    if playlist.method != "AES-128" and playlist.map_key is not None:
        facts = media.look(playlist.map_key, playlist.segment_keys)
    return _Track(
        playlist=playlist, facts=facts, sizes_bytes=[package.sizes_bytes[name] for name in playlist.segment_keys]
    )


def _read_playlist(package: CheckedPackage, master_key: str, uri: str) -> Generator[Finding, None, Playlist | None]:
    """Read one media playlist and check what stands in it; None when it cannot be followed."""
    key = package.use(master_key, uri)
    if key is None:
        yield error("playlist-listed", master_key, f"names {uri!r}, objects.json does not")
        return None
    text = package.read_text(key)
    if text is None:
        return None
    playlist = parse_playlist(package, key, text)
    if playlist.fault is not None:
        yield error("playlist-syntax", key, playlist.fault)
        return None
    if "#EXT-X-ENDLIST" not in playlist.tags:
        yield error("endlist", key, "EXT-X-ENDLIST is missing: players would take it for a live stream")
    if playlist.value("#EXT-X-PLAYLIST-TYPE") != "VOD":
        yield error("playlist-type", key, "EXT-X-PLAYLIST-TYPE is not VOD")
    version, needed = read_number(playlist.value("#EXT-X-VERSION")), VERSION_WITH_MAP
    if playlist.map_key is None:
        needed = LEAST_VERSION
    if version is None or version < needed:
        yield error("version", key, f"EXT-X-VERSION is {version}, what it uses came with {needed}")
    target_s = read_number(playlist.value("#EXT-X-TARGETDURATION"))
    longest_s = max(playlist.durations_s, default=0.0)
    if target_s is None or int(longest_s + 0.5) > target_s:
        yield error("target-duration", key, f"a segment of {longest_s:.3f} s, a target of {target_s} s")
    if playlist.unlisted:
        message = f"{len(playlist.unlisted)} segments are no objects, the first is {playlist.unlisted[0]}"
        yield error("segment-listed", key, message)
        return None
    if not playlist.segment_keys:
        yield error("segments", key, "no segments")
        return None
    if playlist.map_key is None and not playlist.is_text:
        yield error("map", key, "EXT-X-MAP is missing or names no object of the package")
    return playlist


def _check_variant(
    uri: str, named: dict[str, str], track: _Track | None, presentation: _Presentation
) -> Iterator[Finding]:
    missing = [name for name in _VARIANT_ATTRIBUTES if not named.get(name)]
    if missing:
        yield error("variant-attributes", uri, f"{', '.join(missing)} missing")
        return
    tracks: dict[str, list[_Track]] = {}
    for kind, rule in _GROUPS.items():
        group = presentation.groups.get(f"{kind}:{named.get(kind)}")
        has_some = any(name.startswith(f"{kind}:") for name in presentation.groups)
        if group is None and (kind in named or has_some):
            said = f"group {named[kind]!r} is not defined" if kind in named else f"no {kind} group, and there is one"
            yield error(rule, uri, said)
            return
        tracks[kind] = group or []
    if track is None:
        return
    yield from _check_rates(uri, named, track, tracks)
    facts = track.facts
    if facts is None:
        return
    sound = {other.facts.init.codec for other in tracks["AUDIO"] if other.facts is not None}
    expected = {facts.init.codec, *sound}
    declared = {codec for codec in named["CODECS"].split(",") if codec not in _TEXT_CODECS}
    if not _same_codecs(declared, expected):
        yield error("codecs", uri, f"CODECS is {named['CODECS']}, the init segments say {','.join(sorted(expected))}")
    if named["RESOLUTION"] != f"{facts.init.width}x{facts.init.height}":
        found = f"{facts.init.width}x{facts.init.height}"
        yield error("resolution", uri, f"RESOLUTION is {named['RESOLUTION']}, the init segment says {found}")
    rate = read_number(named["FRAME-RATE"])
    if facts.sound and (rate is None or abs(rate - facts.frame_rate()) > FRAME_RATE_TOLERANCE):
        yield error("frame-rate", uri, f"FRAME-RATE is {named['FRAME-RATE']}, measured {facts.frame_rate():.3f}")
    expected_range = _RANGES.get(facts.init.transfer or 0, "SDR")
    if named.get("VIDEO-RANGE", "SDR") != expected_range:
        yield error("video-range", uri, f"VIDEO-RANGE is {named.get('VIDEO-RANGE')}, the media is {expected_range}")


def _check_rates(uri: str, named: dict[str, str], track: _Track, tracks: dict[str, list[_Track]]) -> Iterator[Finding]:
    """Both rates against the video and the costliest member of its sound group; a text track may be counted or not."""
    sound, text = tracks["AUDIO"], tracks["SUBTITLES"]
    for name, rule, measure in (
        ("BANDWIDTH", "bandwidth", lambda one: one.peak_bps),
        ("AVERAGE-BANDWIDTH", "average-bandwidth", lambda one: one.average_bps),
    ):
        declared = read_number(named[name])
        lowest = measure(track) + max((measure(one) for one in sound), default=0)
        highest = lowest + max((measure(one) for one in text), default=0)
        if name == "AVERAGE-BANDWIDTH":
            # Members of a sound group differ, and the average is that of one combination of them.
            lowest = measure(track) + min((measure(one) for one in sound), default=0)
        slack = TOLERANCE_SHARE if name == "AVERAGE-BANDWIDTH" else 0.0
        if declared is None or not (1 - slack) * lowest - 2 <= declared <= (1 + TOLERANCE_SHARE) * highest + 2:
            yield error(rule, uri, f"{name} is {named[name]}, measured {highest}")


def _same_codecs(declared: set[str], expected: set[str]) -> bool:
    return len(declared) == len(expected) and all(
        any(same_codec(said, codec) for said in declared) for codec in expected
    )


def _check_same_cuts(tracks: list[_Track]) -> Iterator[Finding]:
    """The media itself is compared where it can be read, else what the playlists say of it."""
    cuts = [
        (track, [round(track.facts.start_s(name), 3) for name in track.playlist.segment_keys])
        if track.facts is not None and track.facts.sound
        else (track, [round(moment, 3) for moment in track.playlist.starts_s])
        for track in tracks
    ]
    for track, starts_s in cuts[1:]:
        first = cuts[0][1]
        if not same_cuts(starts_s, first):
            yield error("same-cuts", track.playlist.key, f"is cut at other points than {cuts[0][0].playlist.key}")


def _check_key_frames(package: CheckedPackage, track: _Track, presentation: _Presentation) -> Iterator[Finding]:
    """Every rung needs an I-frame playlist that finds a key frame in each of its segments."""
    playlists = presentation.key_frames.get(track.playlist.map_key or "", [])
    if not playlists:
        if track.playlist.method != "AES-128" and track.playlist.map_key is not None:
            yield error("iframe-playlist", track.playlist.key, "its rung has no I-frame playlist")
        return
    for uri, named, playlist in playlists:
        without = [name for name in track.playlist.segment_keys if name not in playlist.segment_keys]
        if without:
            message = f"{len(without)} segments have no key frame, the first is {without[0]}"
            yield error("key-frames", playlist.key, message)
        else:
            yield from _check_key_frame_stream(package, uri, named, playlist, track)
        for name, byte_range in zip(playlist.segment_keys, playlist.byte_ranges, strict=True):
            facts = track.facts.segments.get(name) if track.facts is not None and track.facts.sound else None
            if facts is not None and byte_range not in facts.key_ranges:
                yield error("iframe-range", playlist.key, f"bytes {byte_range} of {name} are no key frame")
                break


def _check_key_frame_stream(
    package: CheckedPackage, uri: str, named: dict[str, str], playlist: Playlist, track: _Track
) -> Iterator[Finding]:
    """What an I-frame stream declares against the byte ranges behind it, which must last as long as the title."""
    missing = [name for name in ("BANDWIDTH", "CODECS", "RESOLUTION") if not named.get(name)]
    if missing:
        yield error("variant-attributes", uri, f"{', '.join(missing)} missing")
        return
    facts = track.facts
    if facts is not None and not same_codec(named["CODECS"], facts.init.codec):
        yield error("codecs", uri, f"CODECS is {named['CODECS']}, the init segment says {facts.init.codec}")
    if facts is not None and named["RESOLUTION"] != f"{facts.init.width}x{facts.init.height}":
        found = f"{facts.init.width}x{facts.init.height}"
        yield error("resolution", uri, f"RESOLUTION is {named['RESOLUTION']}, the init segment says {found}")
    lasts_s = sum(playlist.durations_s)
    if abs(lasts_s - package.record.duration_s) > DURATION_TOLERANCE_S:
        yield error("duration", uri, f"lasts {lasts_s:.2f} s, the title {package.record.duration_s:.2f} s")
        return
    sizes_bytes = [end - start for start, end in playlist.byte_ranges]
    for name, rule, measured in (
        ("BANDWIDTH", "iframe-bandwidth", peak_bps(sizes_bytes, playlist.durations_s)),
        ("AVERAGE-BANDWIDTH", "iframe-average-bandwidth", average_bps(sizes_bytes, playlist.durations_s)),
    ):
        declared = read_number(named.get(name))
        if name in named and (declared is None or abs(declared - measured) > TOLERANCE_SHARE * measured + 2):
            yield error(rule, uri, f"{name} is {named[name]}, measured {measured}")


def _check_segment_rates(track: _Track) -> Iterator[Finding]:
    said = zip(track.playlist.bitrates_kbps, track.sizes_bytes, track.durations_s, strict=True)
    for said_kbps, size_bytes, duration_s in said:
        measured_kbps = size_bytes * 8 / max(duration_s, 0.001) / 1000
        if said_kbps is not None and abs(said_kbps - measured_kbps) > TOLERANCE_SHARE * measured_kbps + 1:
            message = f"EXT-X-BITRATE is {said_kbps:.0f}, measured {measured_kbps:.0f}"
            yield error("segment-bitrate", track.playlist.key, message)
            return


def _check_media(package: CheckedPackage, track: _Track) -> Iterator[Finding]:
    """A playlist's times against the media's, and its encryption."""
    playlist, facts = track.playlist, track.facts
    lasts_s = sum(playlist.durations_s)
    if facts is not None and facts.sound:
        for name, said_s in zip(playlist.segment_keys, playlist.durations_s, strict=True):
            if abs(said_s - facts.duration_s(name)) > TIME_TOLERANCE_S:
                message = f"EXTINF of {name} is {said_s:.3f} s, it lasts {facts.duration_s(name):.3f} s"
                yield error("extinf", playlist.key, message)
                return
        yield from _check_segment_rates(track)
    if not playlist.is_text and abs(lasts_s - package.record.duration_s) > DURATION_TOLERANCE_S:
        yield error("duration", playlist.key, f"lasts {lasts_s:.2f} s, the title {package.record.duration_s:.2f} s")
    if facts is not None:
        yield from check_common_encryption(playlist, facts.init)
    if playlist.method == "AES-128":
        for name in playlist.segment_keys:
            if package.sizes_bytes[name] % 16:
                yield error("aes-padding", name, "is no whole number of AES blocks")
                return
    if playlist.is_text:
        for name in playlist.segment_keys:
            text = package.read_text(name)
            if text is not None and not text.lstrip("\ufeff").startswith("WEBVTT"):
                yield error("webvtt", name, "does not start with WEBVTT")
