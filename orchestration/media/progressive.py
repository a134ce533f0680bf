"""Serve a long film with its smallest rung before the others are made.

A package is immutable and a session holds the id of the one it plays, so richer rungs come as a new package: who
starts after that gets them, and who is watching goes on undisturbed. A title that is served already keeps what it has
until the new version is complete.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestration.media.handover import read_probed
from orchestration.media.ladder import Ladder, plan_ladder
from orchestration.media.objects import current_package_key
from orchestration.media.pipeline import PackagedTitle, draw_title, encode_title, package_title
from orchestration.media.protection import ContentKeys
from orchestration.media.report import ProbeReport
from orchestration.media.settings import MediaSettings
from orchestration.store import ObjectStore


@dataclass(frozen=True, kw_only=True)
class FirstPlayable:
    """The first package of a title, and the seconds from the end of its probe until it was served."""

    packaged: PackagedTitle
    wall_s: float
    encode_cpu_s: float


def publish_first_rung(
    store: ObjectStore,
    title_id: str,
    master: Callable[[], Path],
    settings: MediaSettings,
    *,
    work_folder: Path,
    now: Callable[[], dt.datetime],
    keys: ContentKeys | None = None,
) -> FirstPlayable | None:
    """Encode and serve the smallest rung of a probed master; None where there is no reason to.

    Raises:
        MediaError: As the steps of the pipeline do. Nothing is lost: the whole title is still to be made.
    """
    probed = read_probed(store, title_id)
    ladder = first_rungs(probed.report, probed.sha256, settings)
    if settings.first_rung_from_s is None or ladder.duration_s < settings.first_rung_from_s:
        return None
    if store.exists(current_package_key(title_id)):
        return None
    started = time.monotonic()
    draw_title(store, title_id, master, work_folder)
    encoded = encode_title(store, title_id, master, settings, work_folder, keys=keys, ladder=ladder)
    packaged = package_title(store, title_id, settings, now, first_rungs=ladder)
    return FirstPlayable(
        packaged=packaged,
        wall_s=time.monotonic() - started,
        encode_cpu_s=encoded.result.cpu_s if encoded.result else 0.0,
    )


def first_rungs(report: ProbeReport, source_sha256: str, settings: MediaSettings) -> Ladder:
    """The smallest H.264 rung of the fixed ladder, which needs no search, and every language in stereo.

    Where the title's own ladder is the fixed one, these are rungs of it and are not encoded again.
    """
    plain = msgspec.structs.replace(settings, ladder="fixed", codecs=("h264",), surround=False, opus=False)
    ladder = plan_ladder(report, source_sha256, plain)
    return msgspec.structs.replace(ladder, video=ladder.video[-1:])
