"""Dagster's instance of an installation: its folder, its limits and its fixed partitions."""

from __future__ import annotations

import os

import dagster as dg

from orchestration import partitions, taxonomy
from orchestration.edge.topology import Network
from orchestration.settings import Settings

INSTANCE_YAML = """\
# Written once, then yours. Storage is SQLite below this folder; docs/operations.md tells what PostgreSQL takes.
telemetry:
  enabled: false
nux:
  enabled: false
event_log_storage:
  # Dagster's SQLite storage with connections that are kept; put a block `storage:` in this one's place for another
  module: orchestration.event_storage
  class: KeptSqliteEventLog
run_monitoring:
  enabled: true
  # without this a cancelled run would keep its pool slots for ever
  free_slots_after_run_end_seconds: 30
concurrency:
  runs:
    max_concurrent_runs: 2
retention:
  sensor:
    purge_after_days: 3
  schedule:
    purge_after_days: 14
"""


UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
"""What a run is while it waits or goes on."""


def end_abandoned_runs(instance: dg.DagsterInstance, tags: dict[str, str]) -> int:
    """Mark runs of a process that was killed as failed, and free the pool slots they would hold for ever.

    Args:
        instance: Where the runs are recorded.
        tags: What all runs of such a process carry. The caller knows that none of them is alive.

    Returns:
        How many there were.
    """
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=list(UNFINISHED), tags=tags))
    for run in runs:
        instance.report_run_failed(run, "the process that ran this was killed")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(runs)


def open_instance(settings: Settings, network: Network) -> dg.DagsterInstance:
    """The installation's instance, made at the first call, with pool limits and region partitions set."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    configuration = settings.dagster_home / "dagster.yaml"
    if not configuration.exists():  # an operator may have moved the storage
        configuration.write_text(INSTANCE_YAML, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    instance = dg.DagsterInstance.from_config(str(settings.dagster_home))
    # Limits in dagster.yaml are not applied to named pools; the instance has to be told.
    instance.event_log_storage.set_concurrency_slots(taxonomy.POOL_WAREHOUSE_WRITE, 1)
    instance.event_log_storage.set_concurrency_slots(taxonomy.POOL_ENCODE, max(1, (os.cpu_count() or 2) // 2))
    instance.add_dynamic_partitions(
        partitions.region.name or "region", [region.region_id for region in network.regions]
    )
    return instance
