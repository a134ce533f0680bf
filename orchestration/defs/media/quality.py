"""What each rung of a title delivers, measured and shown."""

# annotations stay real objects here: Dagster reads them
import math
from collections.abc import Sequence
from typing import Any

import dagster as dg

from orchestration import taxonomy
from orchestration.defs.media import display
from orchestration.defs.media.masters import title_work
from orchestration.defs.media.naming import LADDER, QUALITY, RENDITIONS, title_asset, warning_result
from orchestration.defs.media.quality_plot import plot_hull, png_markdown
from orchestration.media.correction import Delivered, on_target
from orchestration.media.forms import read_forms
from orchestration.media.handover import read_ladder
from orchestration.media.ladder import Ladder
from orchestration.media.reference_ladder import foretold_saving
from orchestration.media.renditions import RenditionRecord
from orchestration.media.verification import measure_title
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings

XPSNR_MARGIN_DB = 0.5
"""Rungs whose XPSNR is closer than this are as good as each other: their sizes differ, and so does what is lost."""
GROWS = dg.AssetCheckSpec(
    name="xpsnr_grows",
    asset=QUALITY,
    description=(
        "No H.264 rung has a clearly lower XPSNR than a cheaper one: more bits give more by a measure that the ladder "
        "was not made by."
    ),
)
ON_TARGET = dg.AssetCheckSpec(
    name="on_target",
    asset=QUALITY,
    description=(
        "The delivered VMAF of every rung of any codec is within 1.5 of its target, or lower because its bit rate cap "
        "or the master allows no more. A fixed ladder has no targets."
    ),
)


def build_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """`media/quality`."""

    @dg.asset(
        **title_asset(QUALITY, "ffmpeg", "matplotlib"),
        deps=[LADDER, RENDITIONS],
        check_specs=[ON_TARGET, GROWS],
        pool=taxonomy.POOL_ENCODE,
    )
    def quality(
        context: dg.AssetExecutionContext, storage: MediaStorage, media_tools: MediaTools
    ) -> dg.MaterializeResult:
        """How much of its master each video rung of a title keeps: VMAF and XPSNR, one table and one plot per title.

        Measured on sampled pictures of the stored renditions, the encoder's settings being only a promise. Rungs that
        the encode step measured to correct them are not measured again. Looked at by whoever sets targets, and when
        viewers complain about a picture.
        """
        work = title_work(settings, context.partition_key, storage, media_tools)
        ladder = read_ladder(work.store, work.title_id)
        delivered: list[Delivered] = []
        if work.settings.quality_frames > 0:
            delivered, _ = measure_title(work)
        return dg.MaterializeResult(
            metadata=quality_metadata(ladder, delivered, read_forms(work.store, work.title_id, ladder, work.settings)),
            check_results=[
                warning_result(check, rungs, measured_rungs=len(delivered), rungs=", ".join(rungs) or "none")
                for check, rungs in (
                    (ON_TARGET, missed_rungs(ladder, delivered)),
                    (GROWS, overrated_rungs(ladder, delivered)),
                )
            ],
        )

    return [quality]


def missed_rungs(ladder: Ladder, delivered: Sequence[Delivered]) -> list[str]:
    """The rungs that are off their target."""
    vmafs = {item.rendition_id: item.vmaf for item in delivered}
    return [
        rung.rung
        for rung in ladder.video
        if rung.rendition_id in vmafs and not on_target(rung, vmafs[rung.rendition_id])
    ]


def overrated_rungs(ladder: Ladder, delivered: Sequence[Delivered]) -> list[str]:
    """The H.264 rungs that a cheaper one beats by XPSNR."""
    h264 = {rung.rendition_id for rung in ladder.video if rung.codec == "h264"}
    found, best_below = [], -math.inf
    for item in reversed(delivered):  # largest first, as the ladder is
        if item.rendition_id not in h264 or item.xpsnr_db is None:
            continue
        if item.xpsnr_db < best_below - XPSNR_MARGIN_DB:
            found.append(item.rung)
        best_below = max(best_below, item.xpsnr_db)
    return found


def quality_metadata(
    ladder: Ladder, delivered: Sequence[Delivered], records: Sequence[RenditionRecord]
) -> dict[str, Any]:
    """Table, plot and sums of what was measured.

    The saving is that of all H.264 rungs against Apple's fixed ladder, whose rungs are foretold and not encoded.
    """
    if not delivered:
        return {"measured_rungs": 0}
    rates = {record.rendition.rung: record.rendition.bitrate_bps for record in reversed(records)}
    h264 = {rung.rendition_id for rung in ladder.video if rung.codec == "h264"}
    placed = [(float(rates[item.rung]), item) for item in delivered if item.rendition_id in h264]
    saving = foretold_saving(ladder.points, [(rate, item.vmaf) for rate, item in placed])
    rows = [
        (
            rung.rung,
            f"{rung.width}x{rung.height}",
            f"{rates[rung.rung] / 1000:.0f}",
            f"{item.vmaf:.1f}",
            "" if rung.target_vmaf is None else f"{rung.target_vmaf:.1f}",
            rung.shortfall or rung.limit or "",
            f"{item.harmonic_mean:.1f}",
            f"{item.percentile_5:.1f}",
            "" if item.xpsnr_db is None else f"{item.xpsnr_db:.1f}",
            f"{rung.crf:g}",
            f"{item.cpu_s:.1f}",
        )
        for rung, item in zip(ladder.video, delivered, strict=True)
    ]
    head = (
        "rung", "size", "kbit/s", "VMAF", "target", "limited by", "harmonic mean", "5th percentile", "XPSNR, dB", "CRF",
        "CPU s to measure",
    )  # fmt: skip
    png = plot_hull(ladder.points, placed, [(rung.width, rung.height) for rung in ladder.video])
    return {
        "measured_rungs": len(delivered),
        "verification_cpu_s": round(sum(item.cpu_s for item in delivered), 2),
        "probing_cpu_s": round(ladder.probe_cpu_s, 2),
        "saving_against_apple_ladder": "unknown" if saving is None else f"about {saving:.0%}",
        "rungs": display.table(head, rows),
        **({"hull": dg.MetadataValue.md(png_markdown(png))} if png else {}),
    }
