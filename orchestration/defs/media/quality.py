"""What each rung of a title delivers, measured and shown."""

# annotations stay real objects here: Dagster reads them
import math
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from orchestration import taxonomy
from orchestration.defs.media import display
from orchestration.defs.media.masters import title_work
from orchestration.defs.media.naming import LADDER, QUALITY, RENDITIONS, title_asset, warning_result
from orchestration.defs.media.quality_plot import plot_hull, png_markdown
from orchestration.media.correction import Delivered, on_target
from orchestration.media.forms import read_forms
from orchestration.media.handover import read_encode_cpu_s, read_ladder
from orchestration.media.ladder import Ladder, VideoRung
from orchestration.media.reference_ladder import foretold_rungs, mean_saving, rung_saving
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
        """What each video rung of a title gives and costs: one table and one plot per title.

        VMAF and XPSNR are measured on sampled pictures of the stored renditions, the encoder's settings being only a
        promise. Rungs that the encode step measured to correct them are not measured again. The saving is told against
        Apple's fixed ladder of H.264, whose rate at the same VMAF is foretold from the title's probes; it stays empty
        beyond that ladder's best and worst rung. One process encodes all rungs of a codec: its CPU seconds, decoding
        included, are shared by the rungs' pixels, and tries that a correction gave up are not in them. Looked at by
        whoever sets targets or buys machines, and when viewers complain about a picture.
        """
        work = title_work(settings, context.partition_key, storage, media_tools)
        ladder = read_ladder(work.store, work.title_id)
        delivered: list[Delivered] = []
        if work.settings.quality_frames > 0:
            delivered, _ = measure_title(work)
        return dg.MaterializeResult(
            metadata=quality_metadata(
                ladder,
                delivered,
                read_forms(work.store, work.title_id, ladder, work.settings),
                read_encode_cpu_s(work.store, work.title_id, ladder.source_sha256),
            ),
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
    ladder: Ladder,
    delivered: Sequence[Delivered],
    records: Sequence[RenditionRecord],
    encode_cpu_s: Mapping[str, float],
) -> dict[str, Any]:
    """Table, plot and sums of what a title's video rungs give and cost.

    Args:
        ladder: Of the title.
        delivered: What was measured; rungs that were not are in the table without it.
        records: Of the stored renditions.
        encode_cpu_s: What encoding them cost, in CPU seconds by id; what is not known stays empty.
    """
    rates = {record.rendition.rung: record.rendition.bitrate_bps for record in reversed(records)}
    measured = {item.rendition_id: item for item in delivered}
    placed = [
        (float(rates[rung.rung]), measured[rung.rendition_id])
        for rung in ladder.video
        if rung.codec == "h264" and rung.rendition_id in measured
    ]
    reference = foretold_rungs(ladder.points)
    saving = mean_saving(reference, [(rate, item.vmaf) for rate, item in placed])
    rows = [
        (
            rung.rung,
            f"{rung.width}x{rung.height}",
            f"{rates[rung.rung] / 1000:.0f}",
            *_shown_quality(rung, measured.get(rung.rendition_id), rates[rung.rung], reference),
            f"{rung.crf:g}",
            _shown(encode_cpu_s.get(rung.rendition_id), ".1f"),
        )
        for rung in ladder.video
    ]
    head = (
        "rung", "size", "kbit/s", "VMAF", "saving against Apple's ladder", "target", "limited by", "harmonic mean",
        "5th percentile", "XPSNR, dB", "CPU s to measure", "CRF", "CPU s to encode, shared by pixels",
    )  # fmt: skip
    png = plot_hull(ladder.points, placed, [(rung.width, rung.height) for rung in ladder.video])
    return {
        "measured_rungs": len(delivered),
        "encode_cpu_s": round(sum(encode_cpu_s.get(rung.rendition_id, 0.0) for rung in ladder.video), 2),
        "verification_cpu_s": round(sum(item.cpu_s for item in delivered), 2),
        "probing_cpu_s": round(ladder.probe_cpu_s, 2),
        "saving_against_apple_ladder": "unknown" if saving is None else f"about {saving:.0%}",
        "rungs": display.table(head, rows),
        **({"hull": dg.MetadataValue.md(png_markdown(png))} if png else {}),
    }


def _shown_quality(
    rung: VideoRung, item: Delivered | None, bitrate_bps: int, reference: Sequence[tuple[float, float]]
) -> tuple[str, ...]:
    """The cells of what was measured; empty ones of a rung that was not."""
    if item is None:
        return "", "", _shown(rung.target_vmaf, ".1f"), rung.shortfall or rung.limit or "", "", "", "", ""
    return (
        f"{item.vmaf:.1f}",
        _shown(rung_saving(reference, bitrate_bps, item.vmaf), ".0%"),
        _shown(rung.target_vmaf, ".1f"),
        rung.shortfall or rung.limit or "",
        f"{item.harmonic_mean:.1f}",
        f"{item.percentile_5:.1f}",
        _shown(item.xpsnr_db, ".1f"),
        f"{item.cpu_s:.1f}",
    )


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
