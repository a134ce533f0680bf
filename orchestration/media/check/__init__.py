"""Read a package as a player would and list what is wrong with it.

Manifests and boxes are parsed here anew, by the rules of HLS (RFC 8216, Apple's authoring specification), DASH-IF and
CMAF, from the bytes in the store: nothing is taken over from the code that wrote them. Every object is read once and
held against its size and hash in ``objects.json``; segments are parsed, not decoded. One fault gives one finding where
that can be told: a rule does not speak about what another one found broken.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from orchestration.media.check.dash import check_dash
from orchestration.media.check.findings import Finding, error
from orchestration.media.check.hls import check_hls
from orchestration.media.check.images import check_image_tracks, check_pictures
from orchestration.media.check.media import MediaFacts
from orchestration.media.check.package import CheckedPackage
from orchestration.media.check.records import check_record
from orchestration.media.objects import PackageRecord
from orchestration.store import ObjectStore

__all__ = ["Finding", "check_package"]

_VARIANT_TAG = "#EXT-X-STREAM-INF:"


def check_package(store: ObjectStore, record: PackageRecord) -> list[Finding]:
    """Every finding on a package; an empty list is a clean bill."""
    package = CheckedPackage(store, record)
    media = MediaFacts(package)
    found = list(_check_listed(package)) or list(_check_manifests(package, media))
    package.read_the_rest()
    found = [*package.findings, *media.findings, *found]
    if found:
        return found
    return [
        *check_record(package),
        *(error("unused", key, "no manifest refers to it") for key in package.unused()),
    ]


def _check_listed(package: CheckedPackage) -> Iterator[Finding]:
    for key in (package.record.hls_key, package.record.dash_key):
        if key not in package.sizes_bytes:
            yield error("manifest-listed", key, "the record names this manifest but does not list it as an object")


def _check_manifests(package: CheckedPackage, media: MediaFacts) -> Iterator[Finding]:
    """Both manifests of the record, then every other multivariant playlist or MPD that the package lists."""
    record = package.record
    found: list[Finding] = []
    in_hls = yield from _told(check_hls(package, media, record.hls_key), found)
    in_dash = yield from _told(check_dash(package, media, record.dash_key), found)
    if not found and not package.findings and in_hls != in_dash:
        message = f"{len(in_hls - in_dash)} renditions are in HLS alone, {len(in_dash - in_hls)} in DASH alone"
        yield error("same-renditions", record.dash_key, message)
    yield from check_image_tracks(package)
    yield from check_pictures(package)
    for key in package.sizes_bytes:
        if key in package.used:
            continue
        if key.endswith(".mpd"):
            package.used.add(key)
            yield from check_dash(package, media, key)
        elif key.endswith(".m3u8") and _VARIANT_TAG in (package.read_text(key) or ""):
            package.used.add(key)
            yield from check_hls(package, media, key)


def _told(check: Generator[Finding, None, set[str]], found: list[Finding]) -> Generator[Finding, None, set[str]]:
    """Pass a check on, and remember what it finds."""
    while True:
        try:
            finding = next(check)
        except StopIteration as end:
            presented: set[str] = end.value
            return presented
        found.append(finding)
        yield finding
