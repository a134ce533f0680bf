"""What each stage of the demo does: which job it runs, which process it starts, which figures it keeps.

Jobs are the project's own, run in this process on the installation's instance; nothing here computes what an asset
computes. Sample data comes from ``orchestration.sample`` and enters by the doors that any installation has.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, cast

import dagster as dg

from orchestration import automation
from orchestration.build import build_definitions, build_resources
from orchestration.demo.board import Board
from orchestration.demo.options import FIRST_WAVE_SESSIONS, HISTORY_DAYS, LATER_WAVE_SESSIONS, DemoOptions
from orchestration.demo.runs import JobRunner, RunFailed, last_metadata
from orchestration.demo.state import DemoState, save_state
from orchestration.demo.stay import edge_capacities
from orchestration.demo.summary import Comparison, DemoSummary, ExperienceLine, ForecastLine, ModelLine
from orchestration.edge.topology import Network
from orchestration.instance import open_instance
from orchestration.media import list_quarantine, masters_by_title
from orchestration.sample import (
    PlannedSession,
    World,
    describe_emulation,
    make_traces,
    make_world,
    plan_wave,
    read_movielens_world,
    read_traces,
)
from orchestration.sample.masters import generate_broken_master, generate_masters
from orchestration.sample.wave import PlayedSession, ServingAddresses, WaveOutcome, outcome_of, play_wave
from orchestration.services import Service, ServiceFleet, serving_services
from orchestration.settings import Settings
from playback_api.snapshot import SnapshotReader

WARM_UP_SEED = 900_000
PULL_ONLY = "pull_only"
PLACED = "placed"


class StageError(Exception):
    """A stage cannot go on; the message says what to do."""


class Stages:
    """The stages of one demo, with what they hand on to each other."""

    def __init__(
        self,
        *,
        settings: Settings,
        network: Network,
        state: DemoState,
        board: Board,
        fleet: ServiceFleet,
        options: DemoOptions,
    ) -> None:
        self._settings = settings
        self._network = network
        self._state = state
        self._board = board
        self._fleet = fleet
        self._options = options
        self._resources = build_resources(settings)
        self._runner: JobRunner
        self._requests: list[dg.RunRequest] = []
        self._world: World
        self._durations_s: dict[str, float] = {}
        self._wave: list[PlannedSession] = []
        self._outcomes: dict[str, WaveOutcome] = {}
        self._experience: list[ExperienceLine] = []
        self._sessions_played = 0
        self._forecast = ForecastLine()
        self._first_sessions = options.sessions_per_wave or FIRST_WAVE_SESSIONS
        self._later_sessions = options.sessions_per_wave or LATER_WAVE_SESSIONS
        self._traces = self._read_traces()

    def prepare(self) -> None:
        """Open Dagster's instance and load the code location."""
        with self._board.stage("Prepare", "assets") as stage:
            # The code location reads the settings that were just written down, as the UI's processes do.
            os.environ["MATINEE_HOME"] = str(self._settings.home)
            instance = open_instance(self._settings, self._network)
            definitions = build_definitions(self._settings)
            self._runner = JobRunner(definitions, instance)
            stage.count = len(definitions.resolve_asset_graph().get_all_asset_keys())

    def land_masters(self) -> None:
        """Let masters land, and let the sensor see them."""
        folder = self._settings.masters_folder
        with self._board.stage("Masters", "files") as stage:
            if folder == self._settings.home / "masters":
                generated: list[Path] = []

                def landed(path: Path) -> None:
                    generated.append(path)
                    stage.progress(len(generated), 8, path.name)

                generate_masters(folder, on_done=landed)
                generate_broken_master(folder)
            elif not folder.is_dir():
                raise StageError(f"MATINEE_MASTERS is {folder}, and there is no such folder; correct it")
            self._requests = self._evaluate_sensor()
            stage.count = len(masters_by_title(folder))
            stage.note = f"{len(self._requests)} new or changed"

    def ingest_masters(self) -> None:
        """Run the sensor's requests, one run a title; a bad master is quarantined and the others go on."""
        with self._board.stage("Encode and package", "titles") as stage:
            failed: list[str] = []
            for number, request in enumerate(self._requests):
                stage.progress(number, len(self._requests), request.partition_key or "")
                try:
                    self._runner.run(
                        automation.INGEST_TITLE,
                        partition_key=request.partition_key,
                        tags={**request.tags, "dagster/run_key": request.run_key or ""},
                    )
                except RunFailed as error:
                    failed.append(f"{request.partition_key}: {error}")
            refused = {report.title_id for report in list_quarantine(self._settings.quarantine_folder)}
            unexplained = [line for line in failed if line.split(":")[0] not in refused]
            if unexplained:
                self._board.console.print("[red]" + "\n".join(unexplained) + "[/red]")
            self._durations_s = self._master_durations()
            if not self._durations_s:
                raise StageError(f"no master of {self._settings.masters_folder} could be published; see above")
            stage.count = len(self._requests) - len(failed)
            stage.note = f"{len(refused)} quarantined"

    def build_world(self) -> None:
        """Make or read the world, deliver its catalogue, and write its history into the event log."""
        with self._board.stage("World and history", "sessions of history") as stage:
            self._world = self._make_world()
            media = dict(zip(self._world.titles["title_id"], self._world.titles["media_title_id"], strict=True))
            masters_s = dict(self._durations_s)
            self._durations_s = {title_id: masters_s[source] for title_id, source in media.items()}
            if self._state.history_written:
                stage.note = f"{len(media)} titles, {self._world.viewers.height} viewers; history is written already"
                return
            self._world.write_catalogue(self._settings.catalogue_drop_folder)
            # A history that was interrupted half-way has not been read by anybody yet.
            shutil.rmtree(self._settings.event_log_folder / "history", ignore_errors=True)
            report = self._world.write_history(self._settings.event_log_folder, self._durations_s)
            self._state.history_written = True
            self._state.beats_accepted += report.sessions
            save_state(self._settings.home, self._state)
            stage.count = report.sessions
            stage.note = f"{len(media)} titles, {self._world.viewers.height} viewers, {HISTORY_DAYS} days"

    def load_catalogue(self) -> None:
        """Give every title its package, and load catalogue and media facts into the lake."""
        with self._board.stage("Catalogue", "titles") as stage:
            self._runner.run(automation.LOAD_CATALOGUE)
            packages = self._resources["warehouse"].read("raw.packages", ["size_bytes"])
            self._state.catalogue_size_bytes = int(packages["size_bytes"].sum())
            save_state(self._settings.home, self._state)
            stage.count = packages.height
            stage.note = f"{self._state.catalogue_size_bytes / 1e9:.2f} GB"

    def ingest_events(self) -> None:
        """Take what is new in the event log into the lake."""
        with self._board.stage("Beats into the lake", "beats") as stage:
            before = self._beats_in_lake()
            self._runner.run(automation.INGEST_EVENTS)
            stage.count = self._beats_in_lake() - before

    def build_warehouse(self, *, whole_history: bool = False) -> None:
        """Build the marts and serving tables for the days that have new beats."""
        today = dt.datetime.now(dt.UTC).date()
        first = self._settings.first_event_day if whole_history else min(today, self._wave_day())
        with self._board.stage("Warehouse (dbt)", "models and tests") as stage:
            result = self._runner.run(automation.BUILD_WAREHOUSE, tags=automation.event_day_range_tags(first, today))
            stage.count = len(result.get_asset_materialization_events()) + len(result.get_asset_check_evaluations())
            stage.note = f"{first} to {today}"

    def train_models(self) -> None:
        """Train, gate and publish the recommender."""
        with self._board.stage("Recommender", "viewers with a list") as stage:
            result = self._runner.run(automation.TRAIN_RECOMMENDER)
            metadata = last_metadata(result, dg.AssetKey(["recommender", "recommendations"]))
            stage.count = int(metadata.get("viewers", 0) or 0)

    def forecast_demand(self) -> None:
        """Back-test and forecast."""
        with self._board.stage("Forecast", "title × region × day") as stage:
            result = self._runner.run(automation.FORECAST_DEMAND)
            metadata = last_metadata(result, dg.AssetKey(["demand", "forecast"]))
            backtest = last_metadata(result, dg.AssetKey(["demand", "backtest"]))
            stage.count = int(metadata.get("rows", 0) or 0)
            self._forecast = _forecast_line(metadata, backtest)

    def plan_placement(self) -> None:
        """Plan every region, replayed against its last complete day before it may be used."""
        with self._board.stage("Placement plans", "objects placed") as stage:
            for number, region in enumerate(self._network.regions):
                stage.progress(number, len(self._network.regions), region.region_id)
                result = self._runner.run(automation.PLAN_PLACEMENT, partition_key=region.region_id)
                metadata = last_metadata(result, dg.AssetKey(["edge", "placement_plan"]))
                stage.count += int(metadata.get("rows", 0) or 0)

    def fill_edges(self) -> None:
        """Bring the edges back to their starting state and fill the current plans."""
        with self._board.stage("Fill edges", "MB moved") as stage:
            self._restore_edges()
            config = {"ops": {"edge__fill": {"config": {"ignore_window": True}}}}
            moved = 0
            for number, region in enumerate(self._network.regions):
                stage.progress(number, len(self._network.regions), region.region_id)
                result = self._runner.run(automation.FILL_EDGES, partition_key=region.region_id, run_config=config)
                moved += int(last_metadata(result, dg.AssetKey(["edge", "fill"])).get("bytes_moved", 0) or 0)
            self._runner.run(automation.CHECK_EDGES)
            self._reload_control()
            stage.count = moved // 1_000_000

    def publish_snapshot(self) -> None:
        """Build, verify and publish the snapshot; a running API swaps to it at once."""
        with self._board.stage("Snapshot", "titles served") as stage:
            self._runner.run(automation.PUBLISH_SNAPSHOT)
            snapshot = SnapshotReader(self._settings.store_folder).load()
            stage.count = len(snapshot.titles)
            stage.note = snapshot.snapshot_id

    def start_serving(self) -> None:
        """Start control, collector, origin and edges, each a process."""
        with self._board.stage("Serving plane", "processes") as stage:
            services = self._services()
            self._fleet.start(services)
            stage.count = len(services)

    def warm_edges(self) -> None:
        """Let a first wave fill the pull-through caches, and set that state aside: both later waves start from it."""
        with self._board.stage("Warm-up viewers", "sessions") as stage:
            shutil.rmtree(self._settings.edges_folder, ignore_errors=True)
            self._restart_edges()
            played = self._play(self._plan_wave(self._first_sessions // 2, WARM_UP_SEED), stage.progress, WARM_UP_SEED)
            stage.count = len(played)
            self._stop_edges()
            start = self._starting_state_folder()
            shutil.rmtree(start, ignore_errors=True)
            shutil.copytree(self._settings.edges_folder, start)
            self._fleet.start(self._edge_services())

    def play(self, name: str) -> None:
        """Play a wave; both waves are the same viewers with the same seeds from the same state of the edges."""
        with self._board.stage(f"Viewers, {name.replace('_', ' ')}", "sessions") as stage:
            if name == PULL_ONLY:
                self._state.waves += 1
                save_state(self._settings.home, self._state)
                count = self._first_sessions if self._state.loops == 0 else self._later_sessions
                self._wave = self._plan_wave(count, self._state.waves)
                self._restore_edges()
            self._reload_control()
            played = self._play(self._wave, stage.progress, self._state.waves)
            self._keep_outcome(name, played)
            outcome = self._outcomes[name]
            stage.count = outcome.sessions
            stage.note = f"{outcome.failed} failed" if outcome.failed else ""
            errors = sorted({session.error for session in played if session.error})
            for error in errors[:5]:
                self._board.console.print(f"[yellow]  {error}[/yellow]")

    def summary(self) -> DemoSummary:
        """All that was kept."""
        snapshot = SnapshotReader(self._settings.store_folder).load()
        pull, placed = self._outcomes[PULL_ONLY], self._outcomes[PLACED]
        return DemoSummary(
            stages=self._board.lines,
            titles_published=len(snapshot.titles),
            quarantined=[
                {"file": report.file, "reason": "; ".join(report.reasons), "hint": "; ".join(report.hints)}
                for report in list_quarantine(self._settings.quarantine_folder)
            ],
            sessions_played=self._sessions_played,
            beats_accepted=self._state.beats_accepted,
            beats_in_lake=self._beats_in_lake(),
            edge_hit_ratio=_comparison(pull.edge_hit_ratio, placed.edge_hit_ratio),
            startup_s=_comparison(pull.startup_s_mean, placed.startup_s_mean),
            rebuffer_ratio=_comparison(pull.rebuffer_ratio, placed.rebuffer_ratio),
            local_start_ratio=_comparison(pull.local_start_ratio, placed.local_start_ratio),
            model=_model_line(snapshot.models),
            forecast=self._forecast,
            snapshot_id=snapshot.snapshot_id,
            experience=self._experience,
            emulation=describe_emulation(self._network, self._traces),
        )

    def _evaluate_sensor(self) -> list[dg.RunRequest]:
        sensor = self._runner.definitions.resolve_sensor_def("master_landed")
        instance = self._runner.instance
        cursor: str | None = None
        requests: list[dg.RunRequest] = []
        # Twice: a file counts as landed when it looks the same at two looks.
        for _ in range(2):
            context = dg.build_sensor_context(
                instance=instance, cursor=cursor, resources={"storage": self._resources["storage"]}
            )
            tick = cast(dg.SensorResult, sensor(context))
            cursor = tick.cursor
            for wanted in tick.dynamic_partitions_requests or []:
                instance.add_dynamic_partitions(wanted.partitions_def_name, list(wanted.partition_keys))
            requests.extend(tick.run_requests or [])
        return requests

    def _master_durations(self) -> dict[str, float]:
        from orchestration.media import PackageMissing, read_current_package

        durations = {}
        store = self._resources["storage"].store()
        for title_id in masters_by_title(self._settings.masters_folder):
            try:
                durations[title_id] = read_current_package(store, title_id).duration_s
            except PackageMissing:
                continue  # quarantined, and counted there
        return durations

    def _make_world(self) -> World:
        media_title_ids = sorted(self._durations_s)
        if self._state.world == "movielens":
            return read_movielens_world(
                _data_folder() / "ratings" / "ml-1m",
                seed=self._state.seed,
                now=self._state.now,
                media_title_ids=media_title_ids,
                history_days=HISTORY_DAYS,
                network=self._network,
            )
        return make_world(
            seed=self._state.seed, now=self._state.now, media_title_ids=media_title_ids, network=self._network
        )

    def _read_traces(self) -> Any:
        folder = _data_folder() / "network_traces" if os.environ.get("MATINEE_DATA") else None
        return read_traces(folder) if folder is not None and folder.is_dir() else make_traces(self._options.seed)

    def _plan_wave(self, sessions: int, seed: int) -> list[PlannedSession]:
        return plan_wave(
            self._world,
            sessions,
            seed,
            dt.datetime.now(dt.UTC),
            durations_s=self._durations_s,
            traces=self._traces,
        )

    def _play(self, wave: list[PlannedSession], progress: Any, seed: int) -> list[PlayedSession]:
        played = play_wave(
            wave,
            network=self._network,
            traces=self._traces,
            addresses=ServingAddresses(
                control_url=self._settings.control_url,
                collector_url=self._settings.collector_url,
                origin_url=self._settings.origin_url,
                edge_urls=self._settings.edge_urls,
            ),
            seed=seed,
            on_played=progress,
        )
        self._fleet.check()
        self._sessions_played += sum(1 for session in played if session.report is not None)
        self._state.beats_accepted += sum(session.report.beats_sent for session in played if session.report)
        save_state(self._settings.home, self._state)
        return played

    def _keep_outcome(self, name: str, played: list[PlayedSession]) -> None:
        self._outcomes[name] = outcome_of(played)
        for region in self._network.regions:
            own = [session for session in played if session.planned.region_id == region.region_id]
            if own:
                outcome = outcome_of(own)
                self._experience.append(
                    ExperienceLine(
                        wave=name,
                        region_id=region.region_id,
                        sessions=outcome.sessions,
                        startup_s_median=outcome.startup_s_median,
                        startup_s_p95=outcome.startup_s_p95,
                        rebuffer_ratio=outcome.rebuffer_ratio,
                        mean_bitrate_bps=outcome.mean_bitrate_bps,
                        edge_hit_ratio=outcome.edge_hit_ratio,
                        local_start_ratio=outcome.local_start_ratio,
                    )
                )

    def _wave_day(self) -> dt.date:
        return min((session.starts_at.date() for session in self._wave), default=dt.datetime.now(dt.UTC).date())

    def _beats_in_lake(self) -> int:
        from orchestration.resources.warehouse import WarehouseTableMissing

        try:
            beats = self._resources["warehouse"].read("raw.heartbeats", ["session_id", "boot", "seq"])
        except WarehouseTableMissing:
            return 0
        return int(beats.n_unique())

    def _services(self) -> list[Service]:
        capacities = edge_capacities(self._network, self._state.catalogue_size_bytes)
        return serving_services(self._settings, self._network, capacities)

    def _edge_services(self) -> list[Service]:
        return [service for service in self._services() if service.name.startswith("edge ")]

    def _stop_edges(self) -> None:
        self._fleet.stop([service.name for service in self._edge_services()])

    def _restart_edges(self) -> None:
        self._stop_edges()
        self._fleet.start(self._edge_services())

    def _restore_edges(self) -> None:
        self._stop_edges()
        shutil.rmtree(self._settings.edges_folder, ignore_errors=True)
        if self._starting_state_folder().is_dir():
            shutil.copytree(self._starting_state_folder(), self._settings.edges_folder)
        self._fleet.start(self._edge_services())

    def _starting_state_folder(self) -> Path:
        return self._settings.home / "edges-start"

    def _reload_control(self) -> None:
        request = urllib.request.Request(f"{self._settings.control_url}/system/reload", method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30):
                pass
        except urllib.error.URLError as error:
            raise StageError(f"the control API does not reload ({error}); see logs/control.log") from error


def _data_folder() -> Path:
    folder = os.environ.get("MATINEE_DATA")
    if not folder:
        raise StageError("the movielens world needs MATINEE_DATA, a folder that holds ratings/ml-1m")
    return Path(folder).expanduser().resolve()


def _comparison(pull_only: float, placed: float) -> Comparison:
    return Comparison(pull_only=round(pull_only, 4), placed=round(placed, 4))


def _model_line(models: Any) -> ModelLine:
    for record in models:
        if record.metric_value is not None:
            return ModelLine(
                name=record.name, version=record.version, metric=record.metric_name, value=record.metric_value
            )
    return ModelLine()


def _forecast_line(metadata: dict[str, Any], backtest: dict[str, Any]) -> ForecastLine:
    figures = {name: float(value) for name, value in backtest.items() if isinstance(value, int | float)}
    return ForecastLine(
        published=str(metadata.get("model", "")), reason=str(metadata.get("reason", "")), metrics=figures
    )
