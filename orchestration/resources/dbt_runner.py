"""dbt as a Dagster resource, run in the process of the Dagster run that asks for it.

A process of its own would load dbt anew for every build, which takes longer than most builds of a small lake. What to
build, and what dbt's events mean to Dagster, is left to dagster-dbt; here dbt is started, followed and, when the run is
interrupted, stopped.
"""

import queue
import shutil
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.asset_utils import get_updated_cli_invocation_params_for_context
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

RESULT_EVENTS = frozenset({"LogModelResult", "LogSeedResult", "LogTestResult"})
PARTIAL_PARSE_FILE = "partial_parse.msgpack"
_LAST_ERRORS = 20
_ONE_AT_A_TIME = threading.Lock()
"""dbt keeps its flags, its adapter and its listeners in the process."""


class DbtFailed(Exception):
    """A build did not succeed; the message has what dbt said of each failure."""


class DbtStopped(Exception):
    """Told to dbt: begin no other node."""


class DbtRunner(dg.ConfigurableResource):
    """Runs dbt's commands on one project.

    Attributes:
        project_folder: Holds ``dbt_project.yml`` and ``profiles.yml``.
        parsed_folder: Where the project lies parsed, so that no build parses all of it again.
    """

    project_folder: str
    parsed_folder: str

    def build(self, context: dg.AssetExecutionContext, target_folder: Path) -> Iterator[Any]:
        """Run ``dbt build`` on what the run selected of the assets, and yield results as they come.

        Args:
            context: Of an asset function made by ``@dbt_assets``.
            target_folder: For what dbt writes: logs, compiled SQL, results.

        Yields:
            Outputs of models and seeds, and check results of tests.

        Raises:
            DbtFailed: A model, seed or test failed; what did not depend on it was built all the same.
        """
        wanted = get_updated_cli_invocation_params_for_context(
            context=context, manifest={}, dagster_dbt_translator=DagsterDbtTranslator()
        )
        arguments = [
            *("build", "--exclude-resource-type", "unit_test", "--no-use-colors", "--no-send-anonymous-usage-stats"),
            *("--project-dir", self.project_folder, "--profiles-dir", self.project_folder),
            *("--target-path", str(target_folder), "--log-path", str(target_folder)),
            *(("--indirect-selection", wanted.indirect_selection) if wanted.indirect_selection else ()),
            *wanted.selection_args,
        ]
        self._lay_out_parsed_project(target_folder)
        for event in follow_dbt(arguments):
            message = DbtCoreCliEventMessage(raw_event=event, event_history_metadata={})
            yield from message.to_default_asset_events(
                manifest=wanted.manifest,
                dagster_dbt_translator=wanted.dagster_dbt_translator,
                context=context,
                target_path=target_folder,
            )

    def _lay_out_parsed_project(self, target_folder: Path) -> None:
        parsed = Path(self.parsed_folder) / PARTIAL_PARSE_FILE
        if parsed.exists() and not (target_folder / PARTIAL_PARSE_FILE).exists():
            target_folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(parsed, target_folder)


def follow_dbt(arguments: Sequence[str]) -> Generator[dict[str, Any], None, None]:
    """Run a dbt command on a thread of its own and yield its result events as they come.

    When the caller stops early, by an interruption or otherwise, the node that is being built is the last.

    Raises:
        DbtFailed: The command did not succeed.
    """
    with _ONE_AT_A_TIME:
        invocation = _Invocation(arguments)
        try:
            yield from invocation.events()
        finally:
            invocation.stop()
    invocation.require_success()


class _Invocation:
    """One command on its thread."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = list(arguments)
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._errors: list[str] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dbt")
        self._success = self._thread.submit(self._run)

    def events(self) -> Iterator[dict[str, Any]]:
        """Result events until the command ends."""
        while (event := self._events.get()) is not None:
            yield event

    def stop(self) -> None:
        """Let dbt begin nothing more, and wait for it."""
        self._stopped.set()
        self._thread.shutdown()

    def require_success(self) -> None:
        """Raise what went wrong, in dbt's words or around it."""
        if not self._success.result():
            said = "\n".join(self._errors[-_LAST_ERRORS:]) or "it gave no reason; see dbt.log in the target folder"
            raise DbtFailed(f"dbt {self._arguments[0]} failed:\n{said}")

    def _run(self) -> bool:
        try:
            return self._invoke()
        finally:  # whatever happened, somebody waits for the end
            self._events.put(None)

    def _invoke(self) -> bool:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.adapters.factory import cleanup_connections
        from dbt.cli.main import dbtRunner

        try:
            outcome = dbtRunner(callbacks=[self._take]).invoke(self._arguments)
            if outcome.exception is not None and not self._errors:
                self._errors.append(str(outcome.exception))
            return outcome.success
        finally:
            # The adapter would hold the lake attached until this process ends.
            cleanup_connections()
            DuckDBConnectionManager.close_all_connections()

    def _take(self, message: Any) -> None:
        from dbt_common.events.functions import msg_to_dict

        # Only here does dbt count what a listener raises as the failure of one node; elsewhere on its pool's threads it
        # would be lost, and dbt wait for ever.
        if self._stopped.is_set() and message.info.name == "LogStartLine":
            raise DbtStopped("nobody waits for this build any more")
        if message.info.level == "error":
            self._errors.append(message.info.msg)
        if message.info.name in RESULT_EVENTS:
            self._events.put(msg_to_dict(message))
