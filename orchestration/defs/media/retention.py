"""The upkeep of the media store."""

# annotations stay real objects here: Dagster reads them
import datetime as dt

import dagster as dg

from orchestration import taxonomy
from orchestration.defs.media import display
from orchestration.defs.media.naming import MEDIA_RETENTION, PACKAGE
from orchestration.media.retention import GRACE, sweep_media
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage


def build_assets() -> list[dg.AssetsDefinition]:
    """`ops/media_retention`."""

    @dg.asset(
        key=MEDIA_RETENTION,
        group_name=taxonomy.OPS,
        owners=taxonomy.OWNERS[taxonomy.OPS],
        kinds={"hls"},
        deps=[PACKAGE],
    )
    def media_retention(storage: MediaStorage, media_tools: MediaTools) -> dg.MaterializeResult:
        """One round of upkeep of the media store: what is replaced, unnamed or forsaken is removed.

        Of each title the current package and the one before it stay, and whatever was replaced within seven days.
        Renditions that nothing names go, and chunks of encodes that nobody has gone on with for as long. A title whose
        records cannot be read is listed and left alone. Read by whoever watches the disk.
        """
        swept = sweep_media(storage.store(), media_tools.settings(), dt.datetime.now(dt.UTC))
        return dg.MaterializeResult(
            metadata={
                "titles": swept.titles,
                "packages_removed": len(swept.packages),
                "renditions_removed": len(swept.renditions),
                "encodes_forsaken": len(swept.chunks),
                "size_bytes": swept.size_bytes,
                "grace_days": GRACE.days,
                "packages": display.bullets(swept.packages),
                "renditions": display.bullets(swept.renditions),
                "chunks": display.bullets(swept.chunks),
                "left_alone": display.failures_table(swept.left_alone),
            }
        )

    return [media_retention]
