"""The first rung of a long film, served while the others are made."""

# annotations stay real objects here: Dagster reads them
import datetime as dt

import dagster as dg

from orchestration import taxonomy
from orchestration.defs.media.masters import title_work
from orchestration.defs.media.naming import ARTWORK, FIRST_RUNG, PROBE, title_asset
from orchestration.media.errors import MediaError
from orchestration.media.progressive import publish_first_rung
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings


def build_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """`media/first_rung`."""

    @dg.asset(**title_asset(FIRST_RUNG, "ffmpeg", "hls"), deps=[PROBE, ARTWORK], pool=taxonomy.POOL_ENCODE)
    def first_rung(
        context: dg.AssetExecutionContext, storage: MediaStorage, media_tools: MediaTools
    ) -> dg.MaterializeResult:
        """A long film's first package: its master cut as it is, or its smallest rung, for as long as the rest is made.

        Made for titles that are not served yet and last as long as the setting `first_rung_from_s` says; nothing
        happens for others. `media/package` replaces it for sessions that start later. When it fails, the title goes on
        without it: the failure stands in the metadata and in the log.
        """
        work = title_work(settings, context.partition_key, storage, media_tools)
        try:
            first = publish_first_rung(work, lambda: dt.datetime.now(dt.UTC))
        except MediaError as error:
            context.log.error(f"no early rung of {work.title_id}: {error}")
            return dg.MaterializeResult(metadata={"published": False, "failure": str(error)})
        if first is None:
            return dg.MaterializeResult(metadata={"published": False})
        return dg.MaterializeResult(
            metadata={
                "published": first.packaged.published,
                "package_id": first.packaged.record.package_id,
                "rungs": ", ".join(item.rung for item in first.packaged.record.renditions),
                "playable_after_s": first.wall_s,
                "encode_cpu_s": first.encode_cpu_s,
            }
        )

    return [first_rung]
