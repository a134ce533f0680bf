"""The first look at a master, and the plan of what to make of it."""

# annotations stay real objects here: Dagster reads them
import datetime as dt

import dagster as dg

from orchestration.defs.media import display
from orchestration.defs.media.masters import title_work
from orchestration.defs.media.naming import LADDER, PROBE, title_asset
from orchestration.media.errors import MasterRejected
from orchestration.media.pipeline import plan_title, probe_title
from orchestration.media.quarantine import read_refusal, report_path
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings


def build_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """`media/probe` and `media/ladder`."""

    @dg.asset(**title_asset(PROBE, "ffmpeg", "json"))
    def probe(
        context: dg.AssetExecutionContext, storage: MediaStorage, media_tools: MediaTools
    ) -> dg.MaterializeResult:
        """What a master file really holds: one report per title.

        Container, tracks, frame rate, rotation and duration, measured from packets and decoded pictures and not from
        headers. A file that cannot become a title fails here, at once and without a retry: the reasons are in the run,
        and a report with what to do about them in the quarantine folder. Other titles go on. Read by the ladder and the
        encoder, and by whoever delivered the file.
        """
        work = title_work(settings, context.partition_key, storage, media_tools)
        quarantine_folder = settings.quarantine_folder
        try:
            probed = probe_title(work, quarantine_folder, lambda: dt.datetime.now(dt.UTC))
        except MasterRejected as error:
            refusal = read_refusal(quarantine_folder, work.title_id)
            report_file = str(report_path(quarantine_folder, work.title_id))
            raise dg.Failure(
                description=str(error),
                metadata=display.refusal_metadata(error.reasons, refusal.hints if refusal else [], report_file),
                allow_retries=False,
            ) from error
        if probed.delivered_before:
            context.log.info(f"{probed.file} has the bytes of {probed.delivered_before}: what is encoded is used again")
        if probed.twin_title_id:
            context.log.info(f"{probed.file} has the bytes of title {probed.twin_title_id}: its renditions are linked")
        for warning in probed.report.warnings:
            context.log.warning(f"{probed.file}: {warning}")
        return dg.MaterializeResult(
            metadata=display.probe_metadata(probed.report), data_version=dg.DataVersion(probed.sha256)
        )

    @dg.asset(**title_asset(LADDER, "json"), deps=[PROBE])
    def ladder(
        context: dg.AssetExecutionContext, storage: MediaStorage, media_tools: MediaTools
    ) -> dg.MaterializeResult:
        """Which renditions a title gets: sizes, frame rate, VMAF targets and bit rate caps, one plan per title.

        Made for the title: samples of it are encoded and measured, and each rung gets the size and rate factor that
        reach its quality with the fewest bits. The picture is never enlarged and keeps its aspect. Read by the encoder,
        which may correct a rate factor; each rung's id is a hash of the master's content and the rung's settings, so a
        rung that exists is never encoded again.
        """
        planned = plan_title(title_work(settings, context.partition_key, storage, media_tools))
        return dg.MaterializeResult(metadata=display.ladder_metadata(planned))

    return [probe, ladder]
