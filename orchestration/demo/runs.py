"""Runs the project's own Dagster jobs in this process, on the installation's instance, so that the UI shows them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

QUIET_LOGGER: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}

logger = logging.getLogger(__name__)


STARTED_BY = {"matinee/started_by": "demo"}
"""Tags of every run that lives in this process and so ends with it."""

_INTERRUPTIONS = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


class RunFailed(Exception):
    """A job's run failed; the message has the step and its reason, and the run id to look up in the UI.

    Attributes:
        refused_by: Blocking checks that failed: nothing broke, the platform refused something.
    """

    def __init__(self, message: str, *, refused_by: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.refused_by = tuple(refused_by)


class JobRunner:
    """Runs jobs of one set of definitions one after the other."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.definitions = definitions
        self.instance = instance

    def run(
        self,
        job_name: str,
        *,
        partition_key: str | None = None,
        tags: Mapping[str, str] | None = None,
        run_config: Mapping[str, Any] | None = None,
        asset_selection: list[dg.AssetKey] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run a job to its end.

        Raises:
            RunFailed: A step failed.
            KeyboardInterrupt: Somebody interrupted it. Dagster makes a failed run of that, and goes on.
        """
        result = self.definitions.resolve_job_def(job_name).execute_in_process(
            instance=self.instance,
            partition_key=partition_key,
            tags={**STARTED_BY, **(tags or {})},
            run_config={**QUIET_LOGGER, **(run_config or {})},
            asset_selection=asset_selection,
            raise_on_error=False,
        )
        if was_interrupted(result):
            raise KeyboardInterrupt
        if not result.success:
            refused_by = [
                f"{check.asset_key.to_user_string()}: {check.check_name}"
                for check in result.get_asset_check_evaluations()
                if check.blocking and not check.passed
            ]
            raise RunFailed(f"{job_name} failed (run {result.run_id}): {failure_reason(result)}", refused_by=refused_by)
        return result


def was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Whether a step failed because somebody pressed Ctrl-C or sent SIGTERM."""
    for event in result.all_events:
        error = event.step_failure_data.error if event.is_step_failure else None
        while error is not None:
            if error.cls_name in _INTERRUPTIONS:
                return True
            error = error.cause
    return False


def failure_reason(result: dg.ExecuteInProcessResult) -> str:
    """Why a run failed: the steps and the innermost message of each."""
    reasons = []
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        failure = event.step_failure_data
        error = failure.error
        while error is not None and error.cause is not None:
            error = error.cause
        description = failure.user_failure_data.description if failure.user_failure_data else None
        reasons.append(f"{event.step_key}: {description or (error.message.strip() if error else 'no reason given')}")
    return "; ".join(reasons) or "no step failed; see the run in the UI"


def last_metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    """The plain values of an asset's metadata from a run."""
    for event in reversed(result.get_asset_materialization_events()):
        if event.asset_key == key:
            return plain_metadata(event.materialization.metadata)
    return {}


def plain_metadata(metadata: Mapping[str, dg.MetadataValue]) -> dict[str, Any]:
    """Metadata as plain Python values; what has none keeps its text."""
    values: dict[str, Any] = {}
    for name, entry in metadata.items():
        value = entry.value
        try:
            json.dumps(value)
        except TypeError:
            value = str(value)
        values[name] = value
    return values
