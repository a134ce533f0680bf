"""The six steps from a master to a package that is served, each of which can be run again alone.

A step finds what the one before it left in the store (`handover.py`), does its work unless it is done already, and
returns what there is to tell. Dagster's assets are thin shells around these functions; `ingest_master` runs them in a
row for command lines and tests. The encode stands in `verification.py`, the package in `title_package.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from orchestration.media.artwork import Artwork, draw_artwork
from orchestration.media.captions import make_captions
from orchestration.media.chunk_encode import OnProgress
from orchestration.media.correction import correct
from orchestration.media.description import read_description
from orchestration.media.encoders import add_codecs
from orchestration.media.errors import MasterMissing, MasterRejected, PackageMissing, RecordDamaged
from orchestration.media.handover import (
    ProbedMaster,
    TakenSidecars,
    artwork_keys,
    read_delivered,
    read_ladder,
    read_probed,
    read_probes,
    read_sidecars,
    title_of_content,
    write_artwork,
    write_ladder,
    write_probed,
    write_probes,
    write_sidecars,
)
from orchestration.media.hull import Probes
from orchestration.media.ladder import NO_PROBES, Ladder, plan_ladder
from orchestration.media.masters import readable
from orchestration.media.probe import probe_file
from orchestration.media.publish import read_current_package
from orchestration.media.quarantine import quarantine_master, read_refusal, release_master
from orchestration.media.search import probe_qualities, search_id
from orchestration.media.sidecars import Sidecars, find_sidecars
from orchestration.media.sidecars import fingerprint as sidecars_fingerprint
from orchestration.media.title_package import PackagedTitle, package_title
from orchestration.media.title_work import TitleWork
from orchestration.media.verification import encode_title_to_target
from orchestration.store import ObjectStore, file_sha256


def probe_title(work: TitleWork, quarantine_folder: Path, now: Callable[[], dt.datetime]) -> ProbedMaster:
    """Probe a title's master and remember it; a refused one gets a report in ``quarantine_folder``.

    Raises:
        MasterRejected: No title can be made of it. What was served before still is.
    """
    store, title_id, master = work.store, work.title_id, work.master()
    status = master.stat()
    report, sha256 = probe_file(master), file_sha256(master)
    if not report.playable:
        quarantine_master(quarantine_folder, title_id, sha256, status.st_mtime_ns, report, now())
        raise MasterRejected(report.file, report.reasons)
    probed = ProbedMaster(
        title_id=title_id,
        file=report.file,
        sha256=sha256,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        report=report,
        delivered_before=_delivered_before(store, title_id, sha256),
        twin_title_id=_twin_of(store, title_id, sha256),
    )
    write_probed(store, probed)
    release_master(quarantine_folder, title_id)
    return probed


def _delivered_before(store: ObjectStore, title_id: str, sha256: str) -> str:
    try:
        before = read_probed(store, title_id)
    except (MasterMissing, RecordDamaged):  # a damaged record is written anew by this very step
        return ""
    return before.file if before.sha256 == sha256 else ""


def _twin_of(store: ObjectStore, title_id: str, sha256: str) -> str:
    """The title that had this content first; empty when it is new or this title's own."""
    first = title_of_content(store, sha256)
    return "" if first is None or first == title_id else first


def was_ingested(store: ObjectStore, title_id: str, master: Path, sidecars: Sidecars, quarantine_folder: Path) -> bool:
    """Whether this very file, by size and time, was made into what is served or was refused, with these sidecars."""
    status = master.stat()
    fingerprint = (readable(master.name), status.st_size, status.st_mtime_ns)
    refusal = read_refusal(quarantine_folder, title_id)
    if refusal is not None and (refusal.file, refusal.report.size_bytes, refusal.modified_ns) == fingerprint:
        return True
    try:
        probed, package = read_probed(store, title_id), read_current_package(store, title_id)
        taken = read_sidecars(store, title_id).fingerprint == sidecars_fingerprint(sidecars)
    except (MasterMissing, PackageMissing, RecordDamaged):
        return False  # of damaged records a run makes new ones, or fails and says which
    seen = (probed.file, probed.size_bytes, probed.modified_ns)
    is_served = package.source_sha256 == probed.sha256 and package.complete
    return seen == fingerprint and taken and is_served


def plan_title(work: TitleWork) -> Ladder:
    """Plan the ladder of a title's probed master; a fixed ladder does not look at the file.

    Raises:
        MasterMissing: The master is needed and gone or another one than was probed.
        ProgramError, QualityUnmeasured: The master could not be searched for what it needs.
    """
    probed, settings = work.read_probed(), work.settings
    probes = _probes(work) if settings.ladder == "per_title" else NO_PROBES
    ladder = add_codecs(plan_ladder(probed.report, probed.sha256, settings, probes), settings)
    # Planned anew, it starts with what is known.
    ladder = correct(ladder, read_delivered(work.store, work.title_id), settings)
    write_ladder(work.store, work.title_id, ladder)
    return ladder


def _probes(work: TitleWork) -> Probes:
    """What the store knows of the same search, or what a search finds now."""
    search = search_id(work.settings)
    probes = read_probes(work.store, work.title_id, search)
    if probes is None:
        with work.scratch_folder() as folder:
            probes = probe_qualities(work.probed_master(), work.read_probed().report, work.settings, folder)
        write_probes(work.store, work.title_id, search, probes)
    return probes


def take_sidecars(work: TitleWork) -> TakenSidecars:
    """Convert the captions beside a title's master and in it, and read what is said about the title.

    A bad file is told in the warnings and left out. Nothing is encoded anew for a file that changed.

    Raises:
        MasterMissing: The master is gone, another one than was probed, or without a ladder.
    """
    store, title_id = work.store, work.title_id
    probed, ladder = work.read_probed(), read_ladder(store, title_id)
    master = work.probed_master()
    sidecars = find_sidecars(master)
    seen = sidecars_fingerprint(sidecars)
    with work.scratch_folder() as folder:
        captions = make_captions(master, probed.report, sidecars.captions, ladder.duration_s, folder, store, title_id)
    description, warnings = read_description(sidecars.descriptions)
    taken = TakenSidecars(
        fingerprint=seen,
        captions=captions.records,
        description=description,
        warnings=[readable(warning) for warning in (*captions.warnings, *warnings)],
    )
    write_sidecars(store, title_id, probed.sha256, taken)
    return taken


def draw_title(work: TitleWork) -> tuple[list[str], Artwork | None]:
    """Draw a title's artwork unless the store holds it; returns its keys, and what was drawn.

    Raises:
        MasterMissing: The master is gone or another one than was probed.
        ProgramError, PackagingError: No picture could be taken.
    """
    probed = work.read_probed()
    if keys := artwork_keys(work.store, work.title_id, probed.sha256):
        return keys, None
    with work.scratch_folder() as folder:
        artwork = draw_artwork(work.probed_master(), probed.report, folder)
        write_artwork(work.store, work.title_id, probed.sha256, artwork.files)
    return artwork_keys(work.store, work.title_id, probed.sha256), artwork


def ingest_master(
    work: TitleWork, quarantine_folder: Path, now: Callable[[], dt.datetime], on_progress: OnProgress | None = None
) -> PackagedTitle:
    """All six steps.

    Raises:
        MediaError: As the steps do.
    """
    probe_title(work, quarantine_folder, now)
    plan_title(work)
    encode_title_to_target(work, on_progress)
    take_sidecars(work)
    draw_title(work)
    return package_title(work, now)
