"""The sensor that turns files in the masters folder into titles and runs, and asks again where a run failed."""

# annotations stay real objects here: Dagster reads them
import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import msgspec

from orchestration import partitions
from orchestration.defs.media.masters import masters_of
from orchestration.instance import UNFINISHED
from orchestration.media.description import read_description
from orchestration.media.masters import readable
from orchestration.media.pipeline import was_ingested
from orchestration.media.sidecars import Sidecars, sidecars_by_master, written_s
from orchestration.media.sidecars import fingerprint as sidecars_fingerprint
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings

JOB_NAME = "ingest_title"
PARTITION_TAG = "dagster/partition"
PRIORITY_TAG = "dagster/priority"
INTERVAL_S = 15
SETTLED_S = 30.0
"""A file that was not written for this long is complete; a younger one must look the same twice."""
RETRY_AFTER_S = (60.0, 600.0)
"""How long after a failed run the file is asked for again, by attempt; after the last of these it is given up."""


@dataclass(frozen=True, kw_only=True)
class Landed:
    """A master that is complete, with the files beside it.

    Attributes:
        fingerprint: Of all of them; another one means that something changed.
    """

    master: Path
    sidecars: Sidecars
    fingerprint: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a run was asked for.

    Attributes:
        fingerprint: Which file.
        attempt: How often it was asked for; 0 for one that was done with when it was seen first.
        asked_at_s: When it was asked for last, Unix seconds.
        done: It was published or refused: nothing is left to ask for.
    """

    fingerprint: str
    attempt: int
    asked_at_s: float
    done: bool = False

    @property
    def attempts_left(self) -> int:
        """How often it may be asked for again."""
        return 1 + len(RETRY_AFTER_S) - self.attempt


class LandingCursor(msgspec.Struct, kw_only=True):
    """What the sensor remembers by title: fingerprints of files that were seen, and what was asked for."""

    seen: dict[str, str] = {}
    asked: dict[str, Asked] = {}


def build_sensor(settings: Settings) -> dg.SensorDefinition:
    """`master_landed`."""

    @dg.sensor(
        name="master_landed", job_name=JOB_NAME, minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )  # fmt: skip
    def master_landed(context: dg.SensorEvaluationContext, storage: MediaStorage) -> dg.SensorResult:
        """A new or changed file in the masters folder becomes a title and a run, once it is no longer being written.

        A file whose run failed is asked for again, three times in all and later each time: a disk may have been full.
        One that was published, or refused into quarantine, is not, nor one whose run somebody cancelled.
        """
        store = storage.store()
        masters = masters_of(settings, store)
        now_s = time.time()
        landed, cursor = settle(masters, _read_cursor(context), now_s)
        requests: list[dg.RunRequest] = []
        given_up: list[str] = []
        for title_id, found in landed.items():
            before = cursor.asked.get(title_id)
            if was_ingested(store, title_id, found.master, found.sidecars, settings.quarantine_folder):
                attempt = before.attempt if before else 0
                cursor.asked[title_id] = Asked(
                    fingerprint=found.fingerprint, attempt=attempt, asked_at_s=now_s, done=True
                )
            elif _is_under_way(context.instance, title_id):
                continue  # asked for already, or launched by somebody; looked at again when it has ended
            elif before is None:
                cursor.asked[title_id] = Asked(fingerprint=found.fingerprint, attempt=1, asked_at_s=now_s)
                requests.append(_request(title_id, cursor.asked[title_id], found.sidecars))
            elif (failed := _failed_run(context.instance, title_id, before)) is not None:
                if not before.attempts_left:
                    given_up.append(f"{title_id} (run {failed.dagster_run.run_id})")
                elif now_s >= (failed.end_time or 0.0) + RETRY_AFTER_S[before.attempt - 1]:
                    cursor.asked[title_id] = Asked(
                        fingerprint=found.fingerprint, attempt=before.attempt + 1, asked_at_s=now_s
                    )
                    requests.append(_request(title_id, cursor.asked[title_id], found.sidecars))
                    context.log.warning(
                        f"run {failed.dagster_run.run_id} of {title_id} failed: "
                        f"asking again, attempt {before.attempt + 1} of {1 + len(RETRY_AFTER_S)}"
                    )
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=_why_nothing(given_up) if not requests else None,
            dynamic_partitions_requests=[
                partitions.title.build_add_request([str(request.partition_key) for request in requests])
            ]
            if requests
            else [],
            cursor=msgspec.json.encode(cursor).decode(),
        )

    return master_landed


def _read_cursor(context: dg.SensorEvaluationContext) -> LandingCursor:
    """What was remembered; nothing when it cannot be read: what is served or refused is known without it."""
    try:
        return msgspec.json.decode(context.cursor or "{}", type=LandingCursor)
    except msgspec.DecodeError as error:
        context.log.warning(f"the cursor cannot be read ({error}): every file is looked at anew")
        return LandingCursor()


def settle(masters: dict[str, Path], cursor: LandingCursor, now_s: float) -> tuple[dict[str, Landed], LandingCursor]:
    """The masters that are complete and not done with, by title, and the cursor for the next look.

    A master counts together with the files beside it that belong to it: when one of them changes, it is not done with.
    These are found for all masters by one listing.

    The cursor forgets what was asked for a file that is gone or another one now.
    """
    seen: dict[str, str] = {}
    landed: dict[str, Landed] = {}
    asked: dict[str, Asked] = {}
    beside = sidecars_by_master(list(masters.values()))
    for title_id, path in masters.items():
        try:
            status = path.stat()
        except FileNotFoundError:  # taken away between two looks
            continue
        sidecars = sidecars_fingerprint(beside[path])
        name = readable(path.name)
        fingerprint = ":".join(filter(None, [name, str(status.st_size), str(status.st_mtime_ns), sidecars]))
        written_at_s = max([status.st_mtime, *(written_s(sidecar) for sidecar in beside[path].paths)])
        seen[title_id] = fingerprint
        before = cursor.asked.get(title_id)
        if before is not None and before.fingerprint == fingerprint:
            asked[title_id] = before
        unchanged = cursor.seen.get(title_id) == fingerprint or now_s - written_at_s > SETTLED_S
        if unchanged and not (title_id in asked and asked[title_id].done):
            landed[title_id] = Landed(master=path, sidecars=beside[path], fingerprint=fingerprint)
    return landed, LandingCursor(seen=seen, asked=asked)


def _request(title_id: str, asked: Asked, sidecars: Sidecars) -> dg.RunRequest:
    # Dagster drops a request whose key had a run, whatever became of it: the moment makes every asking another one.
    return dg.RunRequest(
        run_key=f"{title_id}:{asked.fingerprint}:{asked.attempt}:{asked.asked_at_s:.0f}",
        partition_key=title_id,
        tags=_priority_tags(sidecars),
    )


def _is_under_way(instance: dg.DagsterInstance, title_id: str) -> bool:
    """Whether a run of the title waits or goes on, of this job or by hand from the graph."""
    unfinished = dg.RunsFilter(tags={PARTITION_TAG: title_id}, statuses=list(UNFINISHED))
    return bool(instance.get_runs(unfinished, limit=1))


def _priority_tags(sidecars: Sidecars) -> dict[str, str]:
    """What lets a premiere overtake a backfill: in the queue of runs, and at every chunk for the encode pool."""
    described, _ = read_description(sidecars.descriptions)
    if described is None or described.priority is None:
        return {}
    return {PRIORITY_TAG: str(described.priority)}


def _failed_run(instance: dg.DagsterInstance, title_id: str, asked: Asked) -> dg.RunRecord | None:
    """The title's newest run of this job since it was asked for, if it failed; a cancelled one did not."""
    newest = instance.get_run_records(
        dg.RunsFilter(
            job_name=JOB_NAME,
            tags={PARTITION_TAG: title_id},
            created_after=dt.datetime.fromtimestamp(asked.asked_at_s, tz=dt.UTC),
        ),
        limit=1,
    )
    failed = newest and newest[0].dagster_run.status is dg.DagsterRunStatus.FAILURE
    return newest[0] if failed else None


def _why_nothing(given_up: list[str]) -> str:
    if not given_up:
        return "no new master, and none to ask for again"
    return (
        f"given up after {1 + len(RETRY_AFTER_S)} failed runs: {', '.join(given_up)}; "
        f"see the runs, then launch {JOB_NAME} for the title, or touch its file"
    )
