"""What was delivered beside a master: captions, and what is to be said about the title."""

# annotations stay real objects here: Dagster reads them
import dagster as dg

from orchestration.defs.media import display
from orchestration.defs.media.masters import title_work
from orchestration.defs.media.naming import LADDER, PROBE, SIDECARS, title_asset, warning_result
from orchestration.media.pipeline import take_sidecars
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings

EVERY_FILE_TAKEN = dg.AssetCheckSpec(
    name="every_sidecar_is_taken",
    asset=SIDECARS,
    description="Nothing beside the master or among its text tracks had to be left out, guessed or cut.",
)


def build_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """`media/sidecars`."""

    @dg.asset(**title_asset(SIDECARS, "webvtt"), deps=[PROBE, LADDER], check_specs=[EVERY_FILE_TAKEN])
    def sidecars(
        context: dg.AssetExecutionContext, storage: MediaStorage, media_tools: MediaTools
    ) -> dg.MaterializeResult:
        """Captions and description of a title, from the files beside its master and the text tracks in it.

        `film.en.srt`, `film.sv.sdh.vtt` and the like become WebVTT renditions; `film.toml` or `film.json` goes into
        the catalogue. A file that cannot be used is told here and left out, and the title goes on without it. A changed
        file is taken anew without a new encode. Read by the package and by `catalogue/titles`.
        """
        taken = take_sidecars(title_work(settings, context.partition_key, storage, media_tools))
        for warning in taken.warnings:
            context.log.warning(warning)
        return dg.MaterializeResult(
            metadata=display.sidecars_metadata(taken),
            check_results=[warning_result(EVERY_FILE_TAKEN, taken.warnings, warnings=display.bullets(taken.warnings))],
        )

    return [sidecars]
