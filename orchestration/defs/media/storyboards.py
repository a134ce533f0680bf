"""Storyboards, which join a title after it is served."""

# annotations stay real objects here: Dagster reads them
import datetime as dt

import dagster as dg

from orchestration.defs.media import display
from orchestration.defs.media.masters import title_work
from orchestration.defs.media.naming import PACKAGE, STORYBOARD, title_asset
from orchestration.defs.media.packaging import conforms_result, conforms_spec
from orchestration.media.title_package import draw_title_storyboard, package_storyboard
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings


def build_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """`media/storyboard`."""

    @dg.asset(**title_asset(STORYBOARD, "ffmpeg", "jpeg"), deps=[PACKAGE], check_specs=[conforms_spec(STORYBOARD)])
    def storyboard(
        context: dg.AssetExecutionContext, storage: MediaStorage, media_tools: MediaTools
    ) -> dg.MaterializeResult:
        """Small pictures to seek by, from the key frames of a title's smallest rung, and the package that names them.

        Comes after `media/package`, so that no title waits for it. The new package has the same renditions and the
        pictures beside them (WebVTT, HLS image playlist, DASH thumbnail set); sessions that play go on with theirs. It
        is checked as the first one was, and not served when it does not conform. Nothing is made of a title whose
        package has its pictures already.
        """
        work = title_work(settings, context.partition_key, storage, media_tools)
        drawn = draw_title_storyboard(work)
        packaged = package_storyboard(work, lambda: dt.datetime.now(dt.UTC))
        return dg.MaterializeResult(
            metadata={
                "drawn": drawn is not None,
                "pictures": drawn.storyboard.tiles if drawn else 0,
                "sheets": len(drawn.storyboard.sheets) if drawn else 0,
                "cpu_s": drawn.cpu_s if drawn else 0.0,
                **display.package_metadata(packaged.record, packaged.findings, published=packaged.published),
            },
            data_version=dg.DataVersion(packaged.record.package_id),
            check_results=[conforms_result(STORYBOARD, packaged)],
        )

    return [storyboard]
