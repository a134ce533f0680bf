"""Serve a long film with a first rung before the others are made.

A master that players can play is cut as it is, without an encode; of any other one the smallest rung is made first.

A package is immutable and a session holds the id of the one it plays, so richer rungs come as a new package: who
starts after that gets them, and who is watching goes on undisturbed. A title that is served already keeps what it has
until the new version is complete.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from orchestration.media.errors import PackagingError, ProgramFailed, ProgramTimedOut
from orchestration.media.ladder import Ladder, plan_ladder
from orchestration.media.objects import current_package_key
from orchestration.media.passthrough import can_pass, cut_master
from orchestration.media.pipeline import draw_title
from orchestration.media.recipe import rendition_id
from orchestration.media.renditions import RenditionRecord
from orchestration.media.report import ProbeReport
from orchestration.media.settings import MediaSettings
from orchestration.media.side_by_side import run_side_by_side
from orchestration.media.title_encode import encode_title
from orchestration.media.title_package import PackagedTitle, package_records, package_title
from orchestration.media.title_work import TitleWork

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FirstPlayable:
    """The first package of a title.

    Attributes:
        wall_s: From the end of the probe until it was served.
        encode_cpu_s: 0 where the master was cut as it is.
    """

    packaged: PackagedTitle
    wall_s: float
    encode_cpu_s: float


def publish_first_rung(work: TitleWork, now: Callable[[], dt.datetime]) -> FirstPlayable | None:
    """Serve a first rung of a probed master; None where there is no reason to.

    Raises:
        MediaError: As the steps of the pipeline do. Nothing is lost: the whole title is still to be made.
    """
    title_id, settings, probed = work.title_id, work.settings, work.read_probed()
    ladder = first_rungs(probed.report, probed.sha256, settings)
    if settings.first_rung_from_s is None or ladder.duration_s < settings.first_rung_from_s:
        return None
    if work.store.exists(current_package_key(title_id)):
        return None
    started = time.monotonic()
    if can_pass(probed.report):
        passed = _pass_master(work, now)
        if passed is not None and passed.published:
            return FirstPlayable(packaged=passed, wall_s=time.monotonic() - started, encode_cpu_s=0.0)
        for finding in passed.findings if passed is not None else []:
            logger.warning("%s as it was delivered: %s, %s", title_id, finding.rule, finding.message)
        logger.warning("%s cannot be served as it was delivered; its smallest rung is made first", title_id)
    draw_title(work)
    encoded = encode_title(work, ladder=ladder)
    packaged = package_title(work, now, first_rungs=ladder)
    return FirstPlayable(
        packaged=packaged,
        wall_s=time.monotonic() - started,
        encode_cpu_s=encoded.result.cpu_s if encoded.result else 0.0,
    )


def first_rungs(report: ProbeReport, source_sha256: str, settings: MediaSettings) -> Ladder:
    """The smallest H.264 rung of the fixed ladder, which needs no search, and every sound track in stereo.

    The picture is scaled from the master at once and not through larger rungs, so it is a rendition of its own and no
    rung of the complete package; its sound is.
    """
    plain = msgspec.structs.replace(settings, ladder="fixed", codecs=("h264",), surround=False, opus=False)
    ladder = plan_ladder(report, source_sha256, plain)
    smallest = ladder.video[-1]
    early = msgspec.structs.replace(
        smallest,
        rendition_id=rendition_id(source_sha256, ["early", smallest.rendition_id]),
        rung=f"{smallest.rung}-early",
    )
    return msgspec.structs.replace(ladder, video=[early])


def _pass_master(work: TitleWork, now: Callable[[], dt.datetime]) -> PackagedTitle | None:
    """The master as it is, cut beside the drawing of its artwork, packaged and checked; None if it cannot be cut."""

    def cut() -> list[RenditionRecord]:
        try:
            return cut_master(work, folder)
        except (ProgramFailed, ProgramTimedOut, PackagingError) as error:
            logger.warning("%s cannot be cut as it was delivered: %s", work.title_id, error)
            return []

    def draw() -> list[RenditionRecord]:
        draw_title(work)
        return []

    with work.scratch_folder() as folder:
        records, _ = run_side_by_side(cut, draw)
    return package_records(work, records, now, complete=False) if records else None
