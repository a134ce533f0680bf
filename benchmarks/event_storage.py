"""What storing an asset event costs in Dagster's SQLite event log and in ours: ``python -m benchmarks.event_storage``.

Both store the same materialisations of one run, into a folder of their own; CPU of this process, all threads.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage

from orchestration.event_storage import KeptSqliteEventLog

RUN_ID = "00000000-0000-4000-8000-000000000000"
WARM_UP = 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU of storing an asset event, by Dagster's storage and by ours.")
    parser.add_argument("--events", type=int, default=300)
    events = parser.parse_args().events
    baseline_ms = cpu_ms_an_event(SqliteEventLogStorage, events)
    ours_ms = cpu_ms_an_event(KeptSqliteEventLog, events)
    print(f"{events} asset events, CPU ms each")
    print(f"SqliteEventLogStorage (Dagster's)  {baseline_ms:5.1f}")
    print(f"KeptSqliteEventLog                 {ours_ms:5.1f}  {ours_ms / baseline_ms:.0%}")


def cpu_ms_an_event(storage_class: type[SqliteEventLogStorage], events: int) -> float:
    """CPU milliseconds of one event, after a few that open what is opened once."""
    with tempfile.TemporaryDirectory() as folder:
        storage = storage_class(str(Path(folder, "runs")))
        store_materialisations(storage, WARM_UP)
        started_s = time.process_time()
        store_materialisations(storage, events)
        spent_s = time.process_time() - started_s
        storage.dispose()
    return 1000 * spent_s / events


def store_materialisations(storage: SqliteEventLogStorage, count: int) -> None:
    """Store so many materialisations of one asset, all of the same run."""
    for _ in range(count):
        event = DagsterEvent(
            DagsterEventType.ASSET_MATERIALIZATION.value,
            "job",
            step_key="film",
            event_specific_data=StepMaterializationData(dg.AssetMaterialization("film")),
        )
        storage.store_event(
            EventLogEntry(
                error_info=None,
                level=logging.INFO,
                user_message="",
                run_id=RUN_ID,
                timestamp=time.time(),
                step_key="film",
                job_name="job",
                dagster_event=event,
            )
        )


if __name__ == "__main__":
    main()
