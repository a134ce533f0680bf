"""The package of a title and the check that decides whether it is served."""

# annotations stay real objects here: Dagster reads them
import datetime as dt

import dagster as dg

from orchestration.defs.media import display
from orchestration.defs.media.masters import title_work
from orchestration.defs.media.naming import ARTWORK, LADDER, PACKAGE, RENDITIONS, SIDECARS, title_asset, warning_result
from orchestration.media.handover import read_ladder, read_loudness
from orchestration.media.sound import loudness_warnings
from orchestration.media.title_package import PackagedTitle, package_title
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings

AT_LOUDNESS = dg.AssetCheckSpec(
    name="at_loudness",
    asset=PACKAGE,
    description=(
        "Every rendition of sound was measured after its encode: within 0.5 LU of the loudness that is asked for, with "
        "true peaks up to -1 dBTP. A track as quiet as a noise floor is left as it is."
    ),
)


def conforms_spec(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check of every asset that may move a title to another package."""
    return dg.AssetCheckSpec(
        name="conforms",
        asset=asset,
        blocking=True,
        description=(
            "HLS and DASH name the same complete segments, cut alike on all rungs, with true codecs, bit rates and "
            "durations. A package that does not conform is kept for inspection and not served."
        ),
    )


def conforms_result(asset: dg.AssetKey, packaged: PackagedTitle) -> dg.AssetCheckResult:
    """What the check found in a package."""
    return dg.AssetCheckResult(
        check_name=conforms_spec(asset).name,
        asset_key=asset,
        passed=not packaged.findings,
        metadata={"errors": len(packaged.findings), "findings": display.findings_table(packaged.findings)},
    )


def build_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """`media/package`."""

    @dg.asset(
        **title_asset(PACKAGE, "hls", "dash"),
        deps=[LADDER, RENDITIONS, ARTWORK, SIDECARS],
        check_specs=[conforms_spec(PACKAGE), AT_LOUDNESS],
    )
    def package(
        context: dg.AssetExecutionContext, storage: MediaStorage, media_tools: MediaTools
    ) -> dg.MaterializeResult:
        """What a title is played from: HLS and DASH manifests over its renditions, artwork, the list of objects.

        One current package per title. It is checked before the title's pointer moves to it, so viewers only meet
        packages that conform. Read by the catalogue, by placement, by edges and by the playback API.
        """
        work = title_work(settings, context.partition_key, storage, media_tools)
        packaged = package_title(work, lambda: dt.datetime.now(dt.UTC))
        ladder = read_ladder(work.store, work.title_id)
        loudness = read_loudness(work.store, work.title_id, ladder.source_sha256)
        target_lufs = work.settings.loudness_lufs
        warnings = [] if target_lufs is None else loudness_warnings(ladder.audio, loudness, target_lufs)
        return dg.MaterializeResult(
            metadata={
                **display.package_metadata(packaged.record, packaged.findings, published=packaged.published),
                "loudness": display.loudness_table(loudness),
            },
            data_version=dg.DataVersion(packaged.record.package_id),
            check_results=[
                conforms_result(PACKAGE, packaged),
                warning_result(
                    AT_LOUDNESS,
                    warnings,
                    warnings=display.bullets(warnings),
                    loudness=display.loudness_table(loudness),
                ),
            ],
        )

    return [package]
