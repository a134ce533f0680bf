"""Package a title, check the package, and serve it: with what is there of its renditions, artwork and storyboard."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.media.check import Finding, check_package
from orchestration.media.clear import clear_file
from orchestration.media.errors import PackageMissing, PackagingError
from orchestration.media.forms import read_forms
from orchestration.media.handover import (
    artwork_keys,
    read_ladder,
    read_sidecars,
    read_storyboard,
    sheet_keys,
    write_storyboard,
)
from orchestration.media.ladder import Ladder
from orchestration.media.objects import PackageRecord
from orchestration.media.package import build_package
from orchestration.media.publish import publish_package, read_current_package
from orchestration.media.renditions import RenditionRecord
from orchestration.media.storyboard import DrawnStoryboard, draw_storyboard
from orchestration.media.title_work import TitleWork


@dataclass(frozen=True, kw_only=True)
class PackagedTitle:
    """What the package step did; a package with findings is kept for inspection and not served."""

    record: PackageRecord
    findings: list[Finding]
    published: bool


def package_title(work: TitleWork, now: Callable[[], dt.datetime], first_rungs: Ladder | None = None) -> PackagedTitle:
    """Package a title's renditions and artwork, check the package, and serve it if nothing is found.

    With ``first_rungs``, these and not the planned ladder: the package says that it is not complete.

    Raises:
        PackagingError: Renditions or artwork are missing.
    """
    ladder = first_rungs or read_ladder(work.store, work.title_id)
    records = read_forms(work.store, work.title_id, ladder, work.settings)
    return package_records(work, records, now, complete=first_rungs is None)


def package_records(
    work: TitleWork, renditions: Sequence[RenditionRecord], now: Callable[[], dt.datetime], *, complete: bool
) -> PackagedTitle:
    """Package some renditions of a title's current master with its captions and artwork, check, and serve.

    Raises:
        PackagingError: Artwork is missing, or the renditions do not belong together.
    """
    store, title_id, settings = work.store, work.title_id, work.settings
    source_sha256 = work.read_probed().sha256
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


def draw_title_storyboard(work: TitleWork) -> DrawnStoryboard | None:
    """Draw a title's storyboard unless the store holds it, from its smallest rung; None when there was nothing to do.

    What is served knows nothing of it until `package_storyboard` makes the next package, of the same renditions.

    Raises:
        PackagingError, ProgramError: It could not be drawn.
        ProtectionError: The title is encrypted and there is no secret.
    """
    store, title_id = work.store, work.title_id
    ladder = read_ladder(store, title_id)
    if read_storyboard(store, title_id, ladder.source_sha256) is not None:
        return None
    records = read_forms(store, title_id, ladder, work.settings)
    video = [item for item in records if item.rendition.kind == "video" and item.rendition.protection != "aes-128"]
    smallest = min(video, key=lambda item: item.rendition.width * item.rendition.height)
    with work.scratch_folder() as folder:
        pictures = clear_file(store, title_id, smallest, folder, work.keys)
        drawn = draw_storyboard(pictures, smallest, work.settings.keyframe_interval_s, folder)
        write_storyboard(store, title_id, ladder.source_sha256, drawn)
    return drawn


def package_storyboard(work: TitleWork, now: Callable[[], dt.datetime]) -> PackagedTitle:
    """Package a title with its storyboard; a package that is served with one already is left as it is.

    Raises:
        PackagingError: Renditions or artwork are missing.
    """
    try:
        served = read_current_package(work.store, work.title_id)
    except PackageMissing:
        return package_title(work, now)
    if served.has_storyboard and served.source_sha256 == work.read_probed().sha256:
        return PackagedTitle(record=served, findings=[], published=True)
    return package_title(work, now)
