"""Titles that show the media of another title."""

# annotations stay real objects here: Dagster reads them
import time

import dagster as dg
import polars as pl

from orchestration.defs.media import display
from orchestration.defs.media.naming import PACKAGE, SHARED_TITLES, media_asset, warning_result
from orchestration.media.publish import share_titles
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings

TITLES_FILE = "titles.parquet"
EVERY_SOURCE_PACKAGED = dg.AssetCheckSpec(
    name="every_source_is_packaged",
    asset=SHARED_TITLES,
    description="Every title that shows another title's media has its package.",
)


def build_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """`media/shared_titles`."""

    @dg.asset(**media_asset(SHARED_TITLES, "hls", "dash"), deps=[PACKAGE], check_specs=[EVERY_SOURCE_PACKAGED])
    def shared_titles(context: dg.AssetExecutionContext, storage: MediaStorage) -> dg.MaterializeResult:
        """Packages of the catalogue's titles that show another title's media: one package per such title.

        Made of hard links, so that a catalogue of thousands of titles costs the disk of its masters alone, while edges
        and placement see every title as its own objects. Titles whose source has no package are listed and tried again
        next time.
        """
        started = time.monotonic()
        sources = _read_sources(settings)
        shared = share_titles(
            storage.store(), sources, lambda done: context.log.info(f"{done:,} of {len(sources):,} titles")
        )
        return dg.MaterializeResult(
            metadata={
                "titles": len(sources),
                "linked": shared.linked,
                "untouched": shared.untouched,
                "failed": len(shared.failed),
                "seconds": time.monotonic() - started,
            },
            check_results=[
                warning_result(EVERY_SOURCE_PACKAGED, shared.failed, failed=display.failures_table(shared.failed))
            ],
        )

    return [shared_titles]


def _read_sources(settings: Settings) -> dict[str, str]:
    """Source title by title, from the catalogue drop; empty when nothing was delivered yet."""
    path = settings.catalogue_drop_folder / TITLES_FILE
    if not path.exists():
        return {}
    titles = (
        pl.read_parquet(path, columns=["title_id", "media_title_id"]).drop_nulls().unique("title_id").sort("title_id")
    )
    return {title_id: source for title_id, source in titles.iter_rows() if title_id != source}
