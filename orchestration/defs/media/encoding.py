"""What takes the processor's time: renditions and artwork."""

# annotations stay real objects here: Dagster reads them
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from orchestration import taxonomy
from orchestration.defs.media import display
from orchestration.defs.media.naming import ARTWORK, FIRST_RUNG, LADDER, PROBE, RENDITIONS, title_asset
from orchestration.media.handover import master_file_of
from orchestration.media.masters import find_master
from orchestration.media.pipeline import draw_title, encode_title_to_target, joined_encodes
from orchestration.media.protection import ContentKeys
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings
from orchestration.store import ObjectStore


def build_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """`media/renditions` and `media/artwork`."""

    def master_of(store: ObjectStore, title_id: str) -> Callable[[], Path]:
        return lambda: find_master(settings.masters_folder, title_id, lambda title: master_file_of(store, title))

    @dg.asset(**title_asset(RENDITIONS, "ffmpeg", "shaka"), deps=[PROBE, LADDER, FIRST_RUNG], pool=taxonomy.POOL_ENCODE)
    def renditions(
        context: dg.AssetExecutionContext, storage: MediaStorage, media_tools: MediaTools
    ) -> dg.MaterializeResult:
        """The encoded and segmented rungs of a title: one set of CMAF segments per rung, cut at the same moments.

        One ffmpeg process decodes the master once for all rungs that the store does not hold yet; a run that was
        interrupted or is repeated encodes only what is missing. Immutable, shared by every package of the title, and
        what edges hold. Fails when the encode is shorter than the master, whatever the exit code says. A rung whose
        VMAF misses its target is encoded again with another rate factor, twice at most.
        """
        store = storage.store()
        verified = encode_title_to_target(
            store,
            context.partition_key,
            master_of(store, context.partition_key),
            media_tools.settings(),
            settings.work_folder,
            display.log_progress(context.log.info),
            ContentKeys(settings.secret),
        )
        return dg.MaterializeResult(
            metadata={
                **display.renditions_metadata(joined_encodes(verified.encodes)),
                "corrections": len(verified.encodes) - 1,
                "verification_cpu_s": verified.cpu_s,
            }
        )

    @dg.asset(**title_asset(ARTWORK, "ffmpeg", "jpeg"), deps=[PROBE])
    def artwork(context: dg.AssetExecutionContext, storage: MediaStorage) -> dg.MaterializeResult:
        """The poster and thumbnails of a title, taken from its master; the poster is the picture with most detail.

        Put into the package; shown by the viewer's page.
        """
        store = storage.store()
        keys, drawn = draw_title(
            store, context.partition_key, master_of(store, context.partition_key), settings.work_folder
        )
        return dg.MaterializeResult(
            metadata={
                "pictures": len(keys),
                "drawn": drawn is not None,
                "thumbnails": display.pictures(store.read_bytes(key) for key in keys if "/thumb-" in key),
            }
        )

    return [renditions, artwork]
