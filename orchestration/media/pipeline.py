"""The six steps from a master to a package that is served, each of which can be run again alone.

A step finds what the one before it left in the store (`handover.py`), does its work unless it is done already, and
returns what there is to tell. Dagster's assets are thin shells around these functions; `ingest_master` runs them in a
row for command lines and tests.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestration.media.artwork import Artwork, draw_artwork
from orchestration.media.captions import make_captions
from orchestration.media.check import Finding, check_package
from orchestration.media.chunk_encode import (
    ChunkWork,
    OnProgress,
    drop_chunks,
    encode_chunk,
    find_plan,
    is_encoded,
    join_chunks,
    sum_results,
    total_cost,
)
from orchestration.media.chunks import Chunk
from orchestration.media.clear import clear_file
from orchestration.media.correction import Delivered, correct
from orchestration.media.description import read_description
from orchestration.media.encode import EncodeResult
from orchestration.media.encoders import add_codecs
from orchestration.media.errors import MasterMissing, MasterRejected, PackageMissing, PackagingError
from orchestration.media.forms import is_stored, read_forms, require_own_keys, store_forms
from orchestration.media.handover import (
    ProbedMaster,
    TakenSidecars,
    artwork_keys,
    read_delivered,
    read_ladder,
    read_probed,
    read_probes,
    read_sidecars,
    read_storyboard,
    sheet_keys,
    title_of_content,
    write_artwork,
    write_ladder,
    write_probed,
    write_probes,
    write_sidecars,
    write_storyboard,
)
from orchestration.media.hull import Probes
from orchestration.media.ladder import NO_PROBES, Ladder, plan_ladder
from orchestration.media.objects import PackageRecord
from orchestration.media.package import build_package
from orchestration.media.probe import probe_file
from orchestration.media.protection import ContentKeys
from orchestration.media.publish import publish_package, read_current_package
from orchestration.media.quarantine import quarantine_master, read_refusal, release_master
from orchestration.media.renditions import RenditionRecord
from orchestration.media.search import probe_qualities, search_id
from orchestration.media.settings import MediaSettings
from orchestration.media.sidecars import Sidecars, find_sidecars
from orchestration.media.sidecars import fingerprint as sidecars_fingerprint
from orchestration.media.storyboard import DrawnStoryboard, draw_storyboard
from orchestration.media.twins import adopt_renditions
from orchestration.media.verification import VerifiedTitle, encode_to_target, measure_title
from orchestration.store import ObjectStore, file_sha256


@dataclass(frozen=True, kw_only=True)
class EncodedTitle:
    """What the encode step did: ``encoded`` and ``reused`` name rungs; ``result`` is None when nothing was encoded."""

    records: list[RenditionRecord]
    encoded: list[str]
    reused: list[str]
    result: EncodeResult | None


@dataclass(frozen=True, kw_only=True)
class PackagedTitle:
    """What the package step did; a package with findings is kept for inspection and not served."""

    record: PackageRecord
    findings: list[Finding]
    published: bool


def probe_title(
    store: ObjectStore, title_id: str, master: Path, quarantine_folder: Path, now: Callable[[], dt.datetime]
) -> ProbedMaster:
    """Probe a title's master and remember it; a refused one gets a report in ``quarantine_folder``.

    Raises:
        MasterRejected: No title can be made of it. What was served before still is.
    """
    status = master.stat()
    report, sha256 = probe_file(master), file_sha256(master)
    if not report.playable:
        quarantine_master(quarantine_folder, title_id, sha256, status.st_mtime_ns, report, now())
        raise MasterRejected(master.name, report.reasons)
    probed = ProbedMaster(
        title_id=title_id,
        file=master.name,
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
    except MasterMissing:
        return ""
    return before.file if before.sha256 == sha256 else ""


def _twin_of(store: ObjectStore, title_id: str, sha256: str) -> str:
    """The title that had this content first; empty when it is new or this title's own."""
    first = title_of_content(store, sha256)
    return "" if first is None or first == title_id else first


def was_ingested(store: ObjectStore, title_id: str, master: Path, sidecars: Sidecars, quarantine_folder: Path) -> bool:
    """Whether this very file, by size and time, was made into what is served or was refused, with these sidecars."""
    status = master.stat()
    fingerprint = (master.name, status.st_size, status.st_mtime_ns)
    refusal = read_refusal(quarantine_folder, title_id)
    if refusal is not None and (refusal.file, refusal.report.size_bytes, refusal.modified_ns) == fingerprint:
        return True
    try:
        probed, package = read_probed(store, title_id), read_current_package(store, title_id)
    except (MasterMissing, PackageMissing):
        return False
    seen = (probed.file, probed.size_bytes, probed.modified_ns)
    taken = read_sidecars(store, title_id).fingerprint == sidecars_fingerprint(sidecars)
    is_served = package.source_sha256 == probed.sha256 and package.complete
    return seen == fingerprint and taken and is_served


def plan_title(
    store: ObjectStore,
    title_id: str,
    settings: MediaSettings,
    master: Callable[[], Path],
    work_folder: Path,
) -> Ladder:
    """Plan the ladder of a title's probed master, which ``master`` finds; a fixed ladder does not look at it.

    Raises:
        MasterMissing: The master is needed and gone or another one than was probed.
        ProgramError, QualityUnmeasured: The master could not be searched for what it needs.
    """
    probed = read_probed(store, title_id)
    probes = NO_PROBES
    if settings.ladder == "per_title":
        probes = _probes(store, probed, settings, master, work_folder)
    ladder = add_codecs(plan_ladder(probed.report, probed.sha256, settings, probes), settings)
    ladder = correct(ladder, read_delivered(store, title_id), settings)  # planned anew, it starts with what is known
    write_ladder(store, title_id, ladder)
    return ladder


def encode_title_to_target(
    store: ObjectStore,
    title_id: str,
    master: Callable[[], Path],
    settings: MediaSettings,
    work_folder: Path,
    on_progress: OnProgress | None = None,
    keys: ContentKeys | None = None,
) -> VerifiedTitle[EncodedTitle]:
    """Encode a title, and its rungs that miss their target again; a fixed ladder has no targets.

    Raises:
        MediaError: As `encode_title` does, and when a rendition cannot be measured.
    """

    def encode() -> EncodedTitle:
        return encode_title(store, title_id, master, settings, work_folder, on_progress, keys)

    with scratch_folder(work_folder, title_id) as folder:
        return encode_to_target(
            store, title_id, _probed_master(store, title_id, master), settings, folder, encode, keys
        )


def joined_encodes(encodes: Sequence[EncodedTitle]) -> EncodedTitle:
    """An encode and its corrections as one."""
    last = encodes[-1]
    made = [item.result for item in encodes if item.result is not None]
    encoded = dict.fromkeys(rung for item in encodes for rung in item.encoded)
    return EncodedTitle(
        records=last.records,
        encoded=list(encoded),
        reused=[rung for rung in last.reused if rung not in encoded],
        result=sum_results(made) if made else None,
    )


def measure_delivered(
    store: ObjectStore,
    title_id: str,
    master: Callable[[], Path],
    settings: MediaSettings,
    work_folder: Path,
    keys: ContentKeys | None = None,
) -> list[Delivered]:
    """What each video rung of an encoded title delivers; measured now unless the store knows it.

    Raises:
        MediaError: The title is not encoded, or a rendition cannot be measured.
    """
    probed_master = _probed_master(store, title_id, master)
    with scratch_folder(work_folder, title_id) as folder:
        return measure_title(store, title_id, probed_master, settings, folder, keys)[0]


def encode_title(
    store: ObjectStore,
    title_id: str,
    master: Callable[[], Path],
    settings: MediaSettings,
    work_folder: Path,
    on_progress: OnProgress | None = None,
    keys: ContentKeys | None = None,
    ladder: Ladder | None = None,
) -> EncodedTitle:
    """Encode and cut the rungs of a title that the store does not hold yet, chunk by chunk.

    ``master`` finds the master file; it is called only when something must be encoded. ``keys`` are needed where the
    settings ask for protection. A ``ladder`` takes the place of the one that was planned.

    Raises:
        MasterMissing: The master is gone or another one than was probed.
        EncodeTruncated, ProgramError, PackagingError: The encode failed; what it finished is kept for the next run.
        ProtectionError: The title is to be protected and there is no secret, or another one than it is encrypted under.
    """
    ladder = ladder or read_ladder(store, title_id)
    rungs = ladder.rungs
    missing = _missing_renditions(store, title_id, ladder, settings)
    stored = frozenset(rung.rendition_id for rung in rungs) - missing
    require_own_keys(read_forms(store, title_id, _only(ladder, stored), settings), keys)
    result = None
    if missing:
        with _chunk_work(store, title_id, ladder, missing, master, settings, work_folder) as work:
            plan = find_plan(work)
            for chunk in plan.chunks:
                encode_chunk(work, chunk, on_progress)
            result = total_cost(work)
            files = join_chunks(work, plan)
            store_forms(store, title_id, _only(ladder, missing), files, settings, work.folder, keys)
        drop_chunks(store, title_id, ladder.source_sha256, missing)
    return EncodedTitle(
        records=read_forms(store, title_id, ladder, settings),
        encoded=[rung.rung for rung in rungs if rung.rendition_id in missing],
        reused=[rung.rung for rung in rungs if rung.rendition_id not in missing],
        result=result,
    )


def find_chunks(
    store: ObjectStore, title_id: str, master: Callable[[], Path], settings: MediaSettings, work_folder: Path
) -> list[Chunk]:
    """The chunks of a title that `encode_title` would encode now, in order.

    They may be encoded apart, on several hosts, by `encode_title_chunk`; `encode_title` then finds them in the store.

    Raises:
        MasterMissing: The master is gone or another one than was probed.
        ProgramError: It could not be searched for changes of shot.
    """
    ladder = read_ladder(store, title_id)
    missing = _missing_renditions(store, title_id, ladder, settings)
    if not missing:
        return []
    with _chunk_work(store, title_id, ladder, missing, master, settings, work_folder) as work:
        return [chunk for chunk in find_plan(work).chunks if not is_encoded(work, chunk)]


def encode_title_chunk(
    store: ObjectStore,
    title_id: str,
    chunk_name: str,
    master: Callable[[], Path],
    settings: MediaSettings,
    work_folder: Path,
    on_progress: OnProgress | None = None,
) -> EncodeResult | None:
    """Encode one chunk of a title into the store; None when nothing of it is missing.

    Raises:
        MasterMissing: The master is gone or another one than was probed.
        EncodeTruncated, ProgramError, PackagingError: The encode failed.
    """
    ladder = read_ladder(store, title_id)
    missing = _missing_renditions(store, title_id, ladder, settings)
    if not missing:
        return None
    with _chunk_work(store, title_id, ladder, missing, master, settings, work_folder) as work:
        chunk = next((chunk for chunk in find_plan(work).chunks if chunk.name == chunk_name), None)
        return None if chunk is None else encode_chunk(work, chunk, on_progress)


def take_sidecars(store: ObjectStore, title_id: str, master: Path, work_folder: Path) -> TakenSidecars:
    """Convert the captions beside a title's master and in it, and read what is said about the title.

    A bad file is told in the warnings and left out. Nothing is encoded anew for a file that changed.

    Raises:
        MasterMissing: The master is gone, another one than was probed, or without a ladder.
    """
    probed, ladder = read_probed(store, title_id), read_ladder(store, title_id)
    sidecars = find_sidecars(master)
    seen = sidecars_fingerprint(sidecars)
    with scratch_folder(work_folder, title_id) as folder:
        captions = make_captions(
            _unchanged(master, probed), probed.report, sidecars.captions, ladder.duration_s, folder, store, title_id
        )
    description, warnings = read_description(sidecars.descriptions)
    taken = TakenSidecars(
        fingerprint=seen,
        captions=captions.records,
        description=description,
        warnings=[*captions.warnings, *warnings],
    )
    write_sidecars(store, title_id, probed.sha256, taken)
    return taken


def draw_title(
    store: ObjectStore, title_id: str, master: Callable[[], Path], work_folder: Path
) -> tuple[list[str], Artwork | None]:
    """Draw a title's artwork unless the store holds it; returns its keys, and what was drawn.

    Raises:
        MasterMissing: The master is gone or another one than was probed.
        ProgramError, PackagingError: No picture could be taken.
    """
    probed = read_probed(store, title_id)
    if keys := artwork_keys(store, title_id, probed.sha256):
        return keys, None
    with scratch_folder(work_folder, title_id) as folder:
        artwork = draw_artwork(_unchanged(master(), probed), probed.report, folder)
        write_artwork(store, title_id, probed.sha256, artwork.files)
    return artwork_keys(store, title_id, probed.sha256), artwork


def package_title(
    store: ObjectStore,
    title_id: str,
    settings: MediaSettings,
    now: Callable[[], dt.datetime],
    first_rungs: Ladder | None = None,
) -> PackagedTitle:
    """Package a title's renditions and artwork, check the package, and serve it if nothing is found.

    With ``first_rungs``, these and not the planned ladder: the package says that it is not complete.

    Raises:
        PackagingError: Renditions or artwork are missing.
    """
    ladder = first_rungs or read_ladder(store, title_id)
    records = read_forms(store, title_id, ladder, settings)
    return package_records(store, title_id, records, settings, now, complete=first_rungs is None)


def package_records(
    store: ObjectStore,
    title_id: str,
    renditions: Sequence[RenditionRecord],
    settings: MediaSettings,
    now: Callable[[], dt.datetime],
    *,
    complete: bool,
) -> PackagedTitle:
    """Package some renditions of a title's current master with its captions and artwork, check, and serve.

    Raises:
        PackagingError: Artwork is missing, or the renditions do not belong together.
    """
    source_sha256 = read_probed(store, title_id).sha256
    records = [*renditions, *read_sidecars(store, title_id).captions]
    artwork = artwork_keys(store, title_id, source_sha256)
    if not artwork:
        raise PackagingError(f"{title_id} has no artwork yet; materialise media/artwork")
    storyboard = read_storyboard(store, title_id, source_sha256)
    if storyboard is not None:
        artwork += sheet_keys(title_id, source_sha256, storyboard)
    record = build_package(
        store,
        title_id,
        source_sha256,
        records,
        artwork,
        settings.segment_duration_s,
        created_at=now(),
        key_server_url=settings.key_server_url,
        storyboard=storyboard,
        complete=complete,
    )
    findings = check_package(store, record)
    published = not findings
    if published:
        publish_package(store, record)
    return PackagedTitle(record=record, findings=findings, published=published)


def draw_title_storyboard(
    store: ObjectStore,
    title_id: str,
    settings: MediaSettings,
    work_folder: Path,
    keys: ContentKeys | None = None,
) -> DrawnStoryboard | None:
    """Draw a title's storyboard unless the store holds it, from its smallest rung; None when there was nothing to do.

    What is served knows nothing of it until `package_storyboard` makes the next package, of the same renditions.

    Raises:
        PackagingError, ProgramError: It could not be drawn.
        ProtectionError: The title is encrypted and there is no secret.
    """
    ladder = read_ladder(store, title_id)
    if read_storyboard(store, title_id, ladder.source_sha256) is not None:
        return None
    records = read_forms(store, title_id, ladder, settings)
    video = [item for item in records if item.rendition.kind == "video" and item.rendition.protection != "aes-128"]
    smallest = min(video, key=lambda item: item.rendition.width * item.rendition.height)
    with scratch_folder(work_folder, title_id) as folder:
        pictures = clear_file(store, title_id, smallest, folder, keys)
        drawn = draw_storyboard(pictures, smallest, settings.keyframe_interval_s, folder)
        write_storyboard(store, title_id, ladder.source_sha256, drawn)
    return drawn


def package_storyboard(
    store: ObjectStore, title_id: str, settings: MediaSettings, now: Callable[[], dt.datetime]
) -> PackagedTitle:
    """Package a title with its storyboard; a package that is served with one already is left as it is.

    Raises:
        PackagingError: Renditions or artwork are missing.
    """
    try:
        served = read_current_package(store, title_id)
    except PackageMissing:
        return package_title(store, title_id, settings, now)
    if served.has_storyboard and served.source_sha256 == read_probed(store, title_id).sha256:
        return PackagedTitle(record=served, findings=[], published=True)
    return package_title(store, title_id, settings, now)


def ingest_master(
    store: ObjectStore,
    title_id: str,
    master: Path,
    settings: MediaSettings,
    *,
    work_folder: Path,
    quarantine_folder: Path,
    now: Callable[[], dt.datetime],
    on_progress: OnProgress | None = None,
    keys: ContentKeys | None = None,
) -> PackagedTitle:
    """All six steps.

    Raises:
        MediaError: As the steps do.
    """
    probe_title(store, title_id, master, quarantine_folder, now)
    plan_title(store, title_id, settings, lambda: master, work_folder)
    encode_title_to_target(store, title_id, lambda: master, settings, work_folder, on_progress, keys)
    take_sidecars(store, title_id, master, work_folder)
    draw_title(store, title_id, lambda: master, work_folder)
    return package_title(store, title_id, settings, now)


@contextmanager
def scratch_folder(work_folder: Path, title_id: str) -> Iterator[Path]:
    """A folder of its own for one step of a title, gone with all that is in it when the step ends."""
    work_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"media-{title_id}-", dir=work_folder) as folder:
        yield Path(folder)


def _only(ladder: Ladder, rendition_ids: frozenset[str]) -> Ladder:
    return msgspec.structs.replace(
        ladder,
        video=[rung for rung in ladder.video if rung.rendition_id in rendition_ids],
        audio=[rung for rung in ladder.audio if rung.rendition_id in rendition_ids],
    )


def _missing_renditions(store: ObjectStore, title_id: str, ladder: Ladder, settings: MediaSettings) -> frozenset[str]:
    """The rungs to be encoded, when what another title of the same content has is linked."""
    sha256 = ladder.source_sha256
    if twin_title_id := read_probed(store, title_id).twin_title_id:
        adopt_renditions(store, title_id, twin_title_id, ladder, settings)
    return frozenset(
        rung.rendition_id for rung in ladder.rungs if not is_stored(store, title_id, rung, settings, sha256)
    )


@contextmanager
def _chunk_work(
    store: ObjectStore,
    title_id: str,
    ladder: Ladder,
    missing: frozenset[str],
    master: Callable[[], Path],
    settings: MediaSettings,
    work_folder: Path,
) -> Iterator[ChunkWork]:
    probed = read_probed(store, title_id)
    with scratch_folder(work_folder, title_id) as folder:
        yield ChunkWork(
            store=store,
            title_id=title_id,
            master=_unchanged(master(), probed),
            report=probed.report,
            ladder=ladder,
            missing=missing,
            settings=settings,
            folder=folder,
        )


def _probes(
    store: ObjectStore, probed: ProbedMaster, settings: MediaSettings, master: Callable[[], Path], work_folder: Path
) -> Probes:
    """What the store knows of the same search, or what a search finds now."""
    search = search_id(settings)
    probes = read_probes(store, probed.title_id, search)
    if probes is None:
        with scratch_folder(work_folder, probed.title_id) as folder:
            probes = probe_qualities(_unchanged(master(), probed), probed.report, settings, folder)
        write_probes(store, probed.title_id, search, probes)
    return probes


def _probed_master(store: ObjectStore, title_id: str, master: Callable[[], Path]) -> Callable[[], Path]:
    return lambda: _unchanged(master(), read_probed(store, title_id))


def _unchanged(master: Path, probed: ProbedMaster) -> Path:
    """The master, if it is still the file that was probed."""
    try:
        status = master.stat()
    except FileNotFoundError:
        raise MasterMissing(f"{master} is gone; deliver it again") from None
    if (status.st_size, status.st_mtime_ns) == (probed.size_bytes, probed.modified_ns):
        return master
    if status.st_size != probed.size_bytes or file_sha256(master) != probed.sha256:
        raise MasterMissing(f"{master.name} changed after it was probed; materialise media/probe of {probed.title_id}")
    return master
