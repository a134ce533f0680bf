"""The sensor that turns files in the masters folder into titles and runs."""

# annotations stay real objects here: Dagster reads them
import time
from pathlib import Path

import dagster as dg
import msgspec

from orchestration import partitions
from orchestration.media.handover import master_file_of
from orchestration.media.masters import masters_by_title
from orchestration.media.pipeline import was_ingested
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings

JOB_NAME = "ingest_title"
INTERVAL_S = 15
SETTLED_S = 30.0
"""A file that was not written for this long is complete; a younger one must look the same twice."""


class LandingCursor(msgspec.Struct, kw_only=True):
    """What the sensor remembers: a fingerprint per title, of files that were seen and of files that were requested."""

    seen: dict[str, str] = {}
    requested: dict[str, str] = {}


def build_sensor(settings: Settings) -> dg.SensorDefinition:
    """`master_landed`."""

    @dg.sensor(
        name="master_landed", job_name=JOB_NAME, minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )  # fmt: skip
    def master_landed(context: dg.SensorEvaluationContext, storage: MediaStorage) -> dg.SensorResult:
        """A new or changed file in the masters folder becomes a title and a run, once it is no longer being written."""
        store = storage.store()
        masters = masters_by_title(settings.masters_folder, lambda title: master_file_of(store, title))
        cursor = msgspec.json.decode(context.cursor or "{}", type=LandingCursor)
        landed, cursor = settle(masters, cursor, now_s=time.time())
        wanted = {
            title_id: fingerprint
            for title_id, fingerprint in landed.items()
            if not was_ingested(store, title_id, masters[title_id], settings.quarantine_folder)
        }
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=f"{title_id}:{fingerprint}", partition_key=title_id)
                for title_id, fingerprint in wanted.items()
            ],
            dynamic_partitions_requests=[partitions.title.build_add_request(list(wanted))] if wanted else [],
            cursor=msgspec.json.encode(cursor).decode(),
        )

    return master_landed


def settle(masters: dict[str, Path], cursor: LandingCursor, now_s: float) -> tuple[dict[str, str], LandingCursor]:
    """The masters that are complete and new, as fingerprint by title, and the cursor for the next look."""
    seen: dict[str, str] = {}
    landed: dict[str, str] = {}
    for title_id, path in masters.items():
        try:
            status = path.stat()
        except FileNotFoundError:  # taken away between two looks
            continue
        fingerprint = f"{path.name}:{status.st_size}:{status.st_mtime_ns}"
        seen[title_id] = fingerprint
        unchanged = cursor.seen.get(title_id) == fingerprint or now_s - status.st_mtime > SETTLED_S
        if unchanged and cursor.requested.get(title_id) != fingerprint:
            landed[title_id] = fingerprint
    requested = {title_id: mark for title_id, mark in {**cursor.requested, **landed}.items() if title_id in seen}
    return landed, LandingCursor(seen=seen, requested=requested)
