"""What one media step leaves for the next: the probe's report, the ladder and the artwork of each title's master.

    ingest/<title_id>/CURRENT                     sha256 of the master that counts
    ingest/<title_id>/<sha256, 16 digits>/        probe.json, probes-*.json, ladder.json, quality.json,
                                                  loudness.json, encode_cpu_s.json, sidecars.json, chunks/*,
                                                  artwork/*.jpg, storyboard/storyboard.json, storyboard/*.jpg

    deliveries/<sha256>                           the title that was first made of this content

It stands in the store under the master's own content, so any step can be run again alone, on any host, and a new
version of a master disturbs nothing of the old one. Nothing here is served.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from orchestration.media.artwork import POSTER_NAME
from orchestration.media.correction import Delivered
from orchestration.media.description import TitleDescription
from orchestration.media.errors import MasterMissing, RecordDamaged
from orchestration.media.hull import Probes
from orchestration.media.ladder import Ladder
from orchestration.media.loudness import DeliveredLoudness
from orchestration.media.records import Record, read_record
from orchestration.media.renditions import RenditionRecord
from orchestration.media.report import ProbeReport
from orchestration.media.storyboard import DrawnStoryboard, Storyboard
from orchestration.store import ObjectStore

STORYBOARD_RECORD = "storyboard.json"
_SHA256 = re.compile("[0-9a-f]{64}")

logger = logging.getLogger(__name__)


class ProbedMaster(msgspec.Struct, frozen=True, kw_only=True):
    """One master as it was when it was probed.

    Attributes:
        delivered_before: File name under which the same bytes were this title's master already; empty for new ones.
        twin_title_id: Another title with the same bytes, whose renditions this one takes over; empty without one.
    """

    title_id: str
    file: str
    sha256: str
    size_bytes: int
    modified_ns: int
    report: ProbeReport
    delivered_before: str = ""
    twin_title_id: str = ""


class TakenSidecars(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken of the files beside a master, and of the text tracks in it.

    Attributes:
        fingerprint: Of the files; another one means that they changed.
        captions: Records of the renditions, which stand in the store.
        description: What is to be said about the title; None when nothing was delivered.
        warnings: What was not as it should be.
    """

    fingerprint: str
    captions: list[RenditionRecord]
    description: TitleDescription | None
    warnings: list[str]


def write_probed(store: ObjectStore, probed: ProbedMaster) -> None:
    """Keep a probe's report and make its master the one that counts."""
    key = f"{_folder(probed.title_id, probed.sha256)}/probe.json"
    store.put_bytes(key, msgspec.json.encode(probed), replace=True)
    store.put_bytes(_pointer_key(probed.title_id), probed.sha256.encode(), replace=True)
    if not store.exists(_delivery_key(probed.sha256)):
        store.put_bytes(_delivery_key(probed.sha256), probed.title_id.encode(), replace=True)


def title_of_content(store: ObjectStore, sha256: str) -> str | None:
    """The first title whose master had this content; None when it was never delivered."""
    key = _delivery_key(sha256)
    return store.read_bytes(key).decode() if store.exists(key) else None


def read_probed(store: ObjectStore, title_id: str) -> ProbedMaster:
    """The master of a title that was probed last and found playable.

    Raises:
        MasterMissing: None was.
    """
    return _read(store, title_id, "probe.json", ProbedMaster, "media/probe")


def write_ladder(store: ObjectStore, title_id: str, ladder: Ladder) -> None:
    """Keep the ladder of a title's current master."""
    key = f"{_folder(title_id, ladder.source_sha256)}/ladder.json"
    store.put_bytes(key, msgspec.json.encode(ladder), replace=True)


def read_ladder(store: ObjectStore, title_id: str) -> Ladder:
    """The ladder of a title's current master.

    Raises:
        MasterMissing: It was not planned yet.
    """
    return _read(store, title_id, "ladder.json", Ladder, "media/ladder")


def write_probes(store: ObjectStore, title_id: str, search: str, probes: Probes) -> None:
    """Keep what was probed of a title's current master; ``search`` names how it was probed."""
    key = f"{_current_folder(store, title_id)}/probes-{search}.json"
    store.put_bytes(key, msgspec.json.encode(probes), replace=True)


def read_probes(store: ObjectStore, title_id: str, search: str) -> Probes | None:
    """What was probed of a title's current master, or None when nothing was in that way."""
    return read_record(store, f"{_current_folder(store, title_id)}/probes-{search}.json", Probes, "media/ladder")


def write_delivered(store: ObjectStore, title_id: str, delivered: Sequence[Delivered]) -> None:
    """Keep what the renditions of a title's current master were measured to give."""
    key = f"{_current_folder(store, title_id)}/quality.json"
    store.put_bytes(key, msgspec.json.encode(delivered), replace=True)


def read_delivered(store: ObjectStore, title_id: str) -> list[Delivered]:
    """What was measured of a title's current master so far, oldest first; empty when nothing was."""
    key = f"{_current_folder(store, title_id)}/quality.json"
    return read_record(store, key, list[Delivered], "media/quality") or []


def write_loudness(
    store: ObjectStore, title_id: str, source_sha256: str, delivered: Sequence[DeliveredLoudness]
) -> None:
    """Keep what became of the loudness of some renditions of a master, beside what is known of others."""
    known = {item.rendition_id: item for item in read_loudness(store, title_id, source_sha256)}
    known |= {item.rendition_id: item for item in delivered}
    store.put_bytes(_loudness_key(title_id, source_sha256), msgspec.json.encode(list(known.values())), replace=True)


def read_loudness(store: ObjectStore, title_id: str, source_sha256: str) -> list[DeliveredLoudness]:
    """What is known of the loudness of a master's renditions; empty when nothing is."""
    found = read_record(store, _loudness_key(title_id, source_sha256), list[DeliveredLoudness], "media/renditions")
    return found or []


def write_encode_cpu_s(store: ObjectStore, title_id: str, source_sha256: str, rung_cpu_s: Mapping[str, float]) -> None:
    """Keep what some video renditions of a master cost to encode, by id, beside what is known of others."""
    known = {**read_encode_cpu_s(store, title_id, source_sha256), **rung_cpu_s}
    store.put_bytes(_encode_cpu_key(title_id, source_sha256), msgspec.json.encode(known), replace=True)


def read_encode_cpu_s(store: ObjectStore, title_id: str, source_sha256: str) -> dict[str, float]:
    """What a master's video renditions cost to encode, in CPU seconds by id; those of another title's are not there."""
    key = _encode_cpu_key(title_id, source_sha256)
    return read_record(store, key, dict[str, float], "media/renditions") or {}


def write_sidecars(store: ObjectStore, title_id: str, source_sha256: str, taken: TakenSidecars) -> None:
    """Keep what was taken of the files beside a title's current master."""
    store.put_bytes(f"{_folder(title_id, source_sha256)}/sidecars.json", msgspec.json.encode(taken), replace=True)


def read_sidecars(store: ObjectStore, title_id: str) -> TakenSidecars:
    """What was taken of the files beside a title's current master; nothing while nobody looked.

    Raises:
        MasterMissing: There is no probed master.
        RecordDamaged: What was taken cannot be read.
    """
    taken = read_record(store, f"{_current_folder(store, title_id)}/sidecars.json", TakenSidecars, "media/sidecars")
    return taken or TakenSidecars(fingerprint="", captions=[], description=None, warnings=[])


def described_titles(store: ObjectStore) -> dict[str, TitleDescription]:
    """What the files beside masters say about titles, by title id; one that cannot be read is logged and left out."""
    found = {}
    for title_id in store.folders("ingest/"):
        try:
            description = read_sidecars(store, title_id).description
        except (MasterMissing, RecordDamaged) as error:
            logger.warning("the description of %s is left out: %s", title_id, error)
            continue
        if description is not None:
            found[title_id] = description
    return found


def write_artwork(store: ObjectStore, title_id: str, source_sha256: str, files: list[Path]) -> list[str]:
    """Keep the artwork of a title's current master, its poster last; returns the keys."""
    keys = []
    for file in sorted(files, key=lambda file: file.name == POSTER_NAME):
        keys.append(f"{_artwork_prefix(title_id, source_sha256)}{file.name}")
        store.put_file(keys[-1], file, replace=True)
    return keys


def artwork_keys(store: ObjectStore, title_id: str, source_sha256: str) -> list[str]:
    """The keys of a title's artwork, sorted; empty while it is not complete, which the poster says."""
    prefix = _artwork_prefix(title_id, source_sha256)
    return list(store.keys(prefix)) if store.exists(f"{prefix}{POSTER_NAME}") else []


def write_storyboard(store: ObjectStore, title_id: str, source_sha256: str, drawn: DrawnStoryboard) -> None:
    """Keep the storyboard of a title's current master, its description last."""
    folder = f"{_folder(title_id, source_sha256)}/storyboard"
    for file in drawn.files:
        store.put_file(f"{folder}/{file.name}", file, replace=True)
    store.put_bytes(f"{folder}/{STORYBOARD_RECORD}", msgspec.json.encode(drawn.storyboard), replace=True)


def read_storyboard(store: ObjectStore, title_id: str, source_sha256: str) -> Storyboard | None:
    """The storyboard of a title's master; None while there is none."""
    key = f"{_folder(title_id, source_sha256)}/storyboard/{STORYBOARD_RECORD}"
    return read_record(store, key, Storyboard, "media/storyboard")


def sheet_keys(title_id: str, source_sha256: str, storyboard: Storyboard) -> list[str]:
    """The keys of a storyboard's sheets, in order."""
    return [f"{_folder(title_id, source_sha256)}/storyboard/{sheet.name}" for sheet in storyboard.sheets]


def ingest_prefix(title_id: str, source_sha256: str) -> str:
    """Where what is kept between the steps of one master stands in the store."""
    return f"{_folder(title_id, source_sha256)}/"


def was_probed(store: ObjectStore, title_id: str) -> bool:
    """Whether a title was made of a master of its own."""
    return store.exists(_pointer_key(title_id))


def master_file_of(store: ObjectStore, title_id: str) -> str | None:
    """Name of the file that a title was made of; None when there is no such title, or, logged, no readable record."""
    try:
        return read_probed(store, title_id).file
    except MasterMissing:
        return None
    except RecordDamaged as error:
        logger.warning("the master of %s is looked for by its name: %s", title_id, error)
        return None


def _read(store: ObjectStore, title_id: str, name: str, kind: type[Record], made_by: str) -> Record:
    found = read_record(store, f"{_current_folder(store, title_id)}/{name}", kind, made_by)
    if found is None:
        raise MasterMissing(f"title {title_id!r} has no {name}; materialise {made_by}")
    return found


def _current_folder(store: ObjectStore, title_id: str) -> str:
    key = _pointer_key(title_id)
    if not store.exists(key):
        raise MasterMissing(f"title {title_id!r} has no probed master; materialise media/probe")
    sha256 = store.read_bytes(key).decode("utf-8", "replace")
    if not _SHA256.fullmatch(sha256):
        raise RecordDamaged(f"{key} holds no sha256 of a master; materialise media/probe again")
    return _folder(title_id, sha256)


def _loudness_key(title_id: str, source_sha256: str) -> str:
    return f"{_folder(title_id, source_sha256)}/loudness.json"


def _artwork_prefix(title_id: str, source_sha256: str) -> str:
    return f"{_folder(title_id, source_sha256)}/artwork/"


def _encode_cpu_key(title_id: str, source_sha256: str) -> str:
    return f"{_folder(title_id, source_sha256)}/encode_cpu_s.json"


def _delivery_key(sha256: str) -> str:
    return f"deliveries/{sha256}"


def _pointer_key(title_id: str) -> str:
    return f"ingest/{title_id}/CURRENT"


def _folder(title_id: str, source_sha256: str) -> str:
    return f"ingest/{title_id}/{source_sha256[:16]}"
