"""The package of a title and the check that decides whether it is served."""

# annotations stay real objects here: Dagster reads them
import datetime as dt

import dagster as dg

from orchestration.defs.media import display
from orchestration.defs.media.naming import ARTWORK, LADDER, PACKAGE, RENDITIONS, SIDECARS, title_asset
from orchestration.media.check import blocking
from orchestration.media.pipeline import package_title
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage

CONFORMS = dg.AssetCheckSpec(
    name="conforms",
    asset=PACKAGE,
    blocking=True,
    description=(
        "HLS and DASH name the same complete segments, cut alike on all rungs, with true codecs, bit rates and "
        "durations. A package that does not conform is kept for inspection and not served."
    ),
)


def build_assets() -> list[dg.AssetsDefinition]:
    """`media/package`."""

    @dg.asset(
        **title_asset(PACKAGE, "hls", "dash"), deps=[LADDER, RENDITIONS, ARTWORK, SIDECARS], check_specs=[CONFORMS]
    )
    def package(
        context: dg.AssetExecutionContext, storage: MediaStorage, media_tools: MediaTools
    ) -> dg.MaterializeResult:
        """What a title is played from: HLS and DASH manifests over its renditions, artwork, the list of objects.

        One current package per title. It is checked before the title's pointer moves to it, so viewers only meet
        packages that conform. Read by the catalogue, by placement, by edges and by the playback API.
        """
        packaged = package_title(
            storage.store(), context.partition_key, media_tools.settings(), lambda: dt.datetime.now(dt.UTC)
        )
        errors = blocking(packaged.findings)
        return dg.MaterializeResult(
            metadata=display.package_metadata(packaged.record, packaged.findings, published=packaged.published),
            data_version=dg.DataVersion(packaged.record.package_id),
            check_results=[
                dg.AssetCheckResult(
                    check_name=CONFORMS.name,
                    asset_key=PACKAGE,
                    passed=not errors,
                    metadata={"errors": len(errors), "findings": display.findings_table(packaged.findings)},
                )
            ],
        )

    return [package]
