"""What each stage of the demo does: which job it runs, which process it starts, which figures it keeps.

Jobs are the project's own, run in this process on the installation's instance; nothing here computes what an asset
computes. Sample data comes from ``orchestration.sample`` and enters by the doors that any installation has.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import dagster as dg

from orchestration import automation, taxonomy
from orchestration.build import build_definitions, build_resources
from orchestration.defs.demand.forecast_store import BacktestRecord, read_backtest
from orchestration.defs.recommender.registry import TOP_N, best_baseline
from orchestration.demo.board import Board
from orchestration.demo.durations import master_durations_s, shown_durations_s
from orchestration.demo.edge_disks import STARTING, EdgeDisks
from orchestration.demo.options import FIRST_WAVE_SESSIONS, HISTORY_DAYS, LATER_WAVE_SESSIONS, PULL_ONLY, DemoOptions
from orchestration.demo.runs import STARTED_BY, JobRunner, RunFailed, last_metadata
from orchestration.demo.sample_data import build_world, network_traces
from orchestration.demo.state import DemoState, require_media, save_state
from orchestration.demo.stay import edge_capacities
from orchestration.demo.summary import DemoSummary, ForecastLine, ModelLine
from orchestration.demo.waves import Waves, first_day
from orchestration.edge.topology import Network
from orchestration.instance import end_abandoned_runs, open_instance
from orchestration.media import list_quarantine, masters_by_title
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.warehouse import WarehouseTableMissing
from orchestration.sample import PlannedSession, World, describe_emulation
from orchestration.sample.history import WRITER as HISTORY_WRITER
from orchestration.sample.masters import SAMPLE_MASTERS, generate_broken_master, generate_masters
from orchestration.sample.mentions import write_mentions
from orchestration.services import Service, ServiceFleet, serving_services
from orchestration.settings import Settings
from playback_api.events import BeatsRecord, decode_record
from playback_api.snapshot import ModelRecord, SnapshotReader

WARM_UP_SEED = 900_000
MEDIA_TOOLS = MediaTools(ladder="fixed", preset="veryfast", max_rungs=4, quality_frames=0)
"""The demo spends its minutes on the loop: one fixed ladder for its films of seconds, whose quality nobody measures. An
installation's default is a ladder per title that is measured and corrected."""


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
        self._traces = network_traces(state.seed)
        self._waves = Waves(settings, network, self._traces)
        self._runner: JobRunner
        self._world: World
        self._requests: list[dg.RunRequest] = []
        self._masters_s: dict[str, float] = {}
        self._durations_s: dict[str, float] = {}
        self._wave: list[PlannedSession] = []

    def prepare(self) -> None:
        """Open Dagster's instance and load the code location."""
        with self._board.stage("Prepare", "assets") as stage:
            # The code location reads the settings that were just written down, as the UI's processes do.
            os.environ["MATINEE_HOME"] = str(self._settings.home)
            instance = open_instance(self._settings, self._network)
            abandoned = end_abandoned_runs(instance, STARTED_BY)
            definitions = build_definitions(self._settings, resource_overrides={"media_tools": MEDIA_TOOLS})
            self._runner = JobRunner(definitions, instance)
            stage.count = len(definitions.resolve_asset_graph().get_all_asset_keys())
            stage.note = f"{abandoned} runs of a killed demo ended" if abandoned else ""

    def land_masters(self) -> None:
        """Let masters land, and let the sensor see them.

        Raises:
            StageError: There is no folder of masters.
            DemoStateError: The folder has no master that this world shows.
        """
        folder = self._settings.masters_folder
        with self._board.stage("Masters", "files") as stage:
            if folder == self._settings.home / "masters":
                generated: list[Path] = []

                def landed(path: Path) -> None:
                    generated.append(path)
                    stage.progress(len(generated), len(SAMPLE_MASTERS), path.name)

                generate_masters(folder, on_done=landed)
                generate_broken_master(folder)
            elif not folder.is_dir():
                raise StageError(f"MATINEE_MASTERS is {folder}, and there is no such folder; correct it")
            masters = masters_by_title(folder)
            require_media(self._state, masters, self._settings)
            self._requests = self._evaluate_sensor()
            stage.count = len(masters)
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
            self._masters_s = master_durations_s(self._resources["storage"].store(), self._settings.masters_folder)
            if not self._masters_s:
                raise StageError(f"no master of {self._settings.masters_folder} could be published; see above")
            stage.count = len(self._requests) - len(failed)
            stage.note = f"{len(refused)} quarantined"

    @property
    def has_new_titles(self) -> bool:
        """Whether a master was new or changed in this run."""
        return bool(self._requests)

    def build_world(self) -> None:
        """Make or read the world, deliver its catalogue, and write its history into the event log."""
        with self._board.stage("World and history", "sessions of history") as stage:
            self._state.media_title_ids = self._state.media_title_ids or sorted(self._masters_s)
            self._world = build_world(self._state, self._network, self._state.media_title_ids, self._options.world_size)
            self._durations_s = shown_durations_s(self._world, self._masters_s)
            counted = f"{self._world.titles.height} titles, {self._world.viewers.height} viewers"
            if self._state.history_written:
                stage.note = f"{counted}; history is written already"
                return
            self._world.write_catalogue(self._settings.catalogue_drop_folder)
            # A history that was interrupted half-way has not been read by anybody yet.
            shutil.rmtree(self._settings.event_log_folder / "history", ignore_errors=True)
            report = self._world.write_history(self._settings.event_log_folder, self._durations_s)
            self._state.history_written = True
            self._state.history_beats = report.sessions
            save_state(self._settings.home, self._state)
            stage.count = report.sessions
            stage.note = f"{counted}, {HISTORY_DAYS} days"

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

    def build_warehouse(self, *, whole_history: bool = False, days_only: bool = False) -> None:
        """Build the marts and serving tables for the days that have new beats.

        Args:
            whole_history: Build every day.
            days_only: Only what is kept by day, and the views over it. What models and plans read of viewing is among
                them; the catalogue and the rankings wait for the next whole build.
        """
        today = dt.datetime.now(dt.UTC).date()
        first = self._settings.first_event_day if whole_history else min(today, first_day(self._wave))
        with self._board.stage("Warehouse (dbt)", "models and tests") as stage:
            result = self._runner.run(
                automation.BUILD_WAREHOUSE,
                tags=automation.event_day_range_tags(first, today),
                asset_selection=self._assets_by_day() if days_only else None,
            )
            built = {event.asset_key for event in result.get_asset_materialization_events()}
            stage.count = len(built) + len(result.get_asset_check_evaluations())
            stage.note = f"{first} to {today}"

    def train_models(self) -> None:
        """Train, gate and publish the recommender."""
        with self._board.stage("Recommender", "viewers with a list") as stage:
            result = self._runner.run(automation.TRAIN_RECOMMENDER)
            metadata = last_metadata(result, dg.AssetKey(["recommender", "recommendations"]))
            stage.count = int(metadata.get("viewers", 0) or 0)
            champion = self._resources["tracking"].tracker().champion(TOP_N)
            self._state.baseline = best_baseline(champion) if champion else None
            save_state(self._settings.home, self._state)

    def forecast_demand(self) -> None:
        """Back-test and forecast, from the days before the wave that will judge the plan."""
        with self._board.stage("Forecast", "title × region × day") as stage:
            today = first_day(self._wave)
            if self._world.is_talked_about:
                write_mentions(self._world, self._settings.signals_folder, today)
            config = {"config": {"today": today.isoformat()}}
            ops = ("demand__mentions", "demand__backtest", "demand__forecast", "demand__audience")
            result = self._runner.run(automation.FORECAST_DEMAND, run_config={"ops": dict.fromkeys(ops, config)})
            metadata = last_metadata(result, dg.AssetKey(["demand", "forecast"]))
            stage.count = int(metadata.get("rows", 0) or 0)

    def plan_placement(self) -> None:
        """Plan every region, replayed against its last complete day before it may be used.

        A plan that the replay refuses leaves the region with what runs; that is told, and the others go on.
        """
        config = {"ops": {"edge__placement_plan": {"config": {"today": first_day(self._wave).isoformat()}}}}
        with self._board.stage("Placement plans", "objects placed") as stage:
            refused = []
            for number, region in enumerate(self._network.regions):
                stage.progress(number, len(self._network.regions), region.region_id)
                try:
                    result = self._runner.run(
                        automation.PLAN_PLACEMENT, partition_key=region.region_id, run_config=config
                    )
                except RunFailed as error:
                    if not error.refused_by:
                        raise
                    refused.append(region.region_id)
                    continue
                metadata = last_metadata(result, dg.AssetKey(["edge", "placement_plan"]))
                stage.count += int(metadata.get("rows", 0) or 0)
            stage.note = f"refused by their replay: {', '.join(refused)}" if refused else ""

    def fill_edges(self) -> None:
        """Bring the edges back to their starting state and fill the current plans.

        Plans that an earlier run filled from the same state are not moved again: what was there then is brought back.
        """
        with self._board.stage("Fill edges", "MB moved") as stage:
            disks = self._disks()
            filled = disks.filled_state()
            known = disks.is_set_aside(filled)
            disks.restore(filled if known else STARTING)
            config = {"ops": {"edge__fill": {"config": {"ignore_window": True, "poll_interval_s": 0.2}}}}
            moved = 0
            for number, region in enumerate(self._network.regions):
                stage.progress(number, len(self._network.regions), region.region_id)
                result = self._runner.run(automation.FILL_EDGES, partition_key=region.region_id, run_config=config)
                moved += int(last_metadata(result, dg.AssetKey(["edge", "fill"])).get("bytes_moved", 0) or 0)
            self._runner.run(automation.CHECK_EDGES)
            self._reload_control()
            if not known:
                disks.set_aside(filled)
            stage.count = moved // 1_000_000
            stage.note = "filled by an earlier run, verified again" if known else ""

    def publish_snapshot(self) -> None:
        """Build, verify and publish the snapshot; a running API swaps to it at once."""
        with self._board.stage("Snapshot", "titles served") as stage:
            self._runner.run(automation.PUBLISH_SNAPSHOT)
            snapshot = SnapshotReader(self._settings.store_folder).load()
            stage.count = len(snapshot.titles)
            stage.note = snapshot.snapshot_id

    def start_serving(self, *, empty_edges: bool = False) -> None:
        """Start control, collector, origin and edges, each a process; the edges from their starting state."""
        with self._board.stage("Serving plane", "processes") as stage:
            if empty_edges:
                self._disks().forget_all()
                self._disks().lay_out(STARTING)
            services = self._services()
            self._fleet.start(services)
            stage.count = len(services)

    def warm_edges(self) -> None:
        """Let a first wave fill the pull-through caches, and set that state aside: both later waves start from it."""
        with self._board.stage("Viewers, warm-up", "sessions") as stage:
            self._reload_control()
            wave = self._waves.plan(
                self._world, self._sessions_per_wave() // 2, seed=WARM_UP_SEED, durations_s=self._durations_s
            )
            played = self._waves.play(wave, seed=WARM_UP_SEED, on_played=stage.progress)
            self._disks().set_aside(STARTING)
            # Both waves begin with edges that have just read the same disks.
            self._disks().restore(STARTING)
            stage.count = len(played)

    def play(self, name: str) -> None:
        """Play a wave; both waves are the same viewers with the same seeds, and began with the same edges."""
        with self._board.stage(f"Viewers, {name.replace('_', ' ')}", "sessions") as stage:
            if name == PULL_ONLY:
                self._state.waves += 1
                save_state(self._settings.home, self._state)
                self._wave = self._waves.plan(
                    self._world, self._sessions_per_wave(), seed=self._state.waves, durations_s=self._durations_s
                )
            self._reload_control()
            played = self._waves.play(self._wave, seed=self._state.waves, on_played=stage.progress)
            self._fleet.check()
            outcome = self._waves.keep(name, played)
            stage.count = outcome.sessions
            stage.note = f"{outcome.failed} failed" if outcome.failed else ""
            for error in sorted({session.error for session in played if session.error})[:5]:
                self._board.console.print(f"[yellow]  {error}[/yellow]")

    def remember_loop(self) -> None:
        """The loop has gone round once more."""
        self._state.loops += 1
        save_state(self._settings.home, self._state)

    def summary(self) -> DemoSummary:
        """All that was kept."""
        snapshot = SnapshotReader(self._settings.store_folder).load()
        return DemoSummary(
            stages=self._board.lines,
            titles_published=len(snapshot.titles),
            quarantined=[
                {"file": report.file, "reason": "; ".join(report.reasons), "hint": "; ".join(report.hints)}
                for report in list_quarantine(self._settings.quarantine_folder)
            ],
            sessions_played=self._waves.sessions_played,
            beats_lost=self._waves.beats_lost,
            beats_accepted=self._state.history_beats + self._beats_acknowledged(),
            beats_in_lake=self._beats_in_lake(),
            edge_hit_ratio=self._waves.compare("edge_hit_ratio"),
            startup_s=self._waves.compare("startup_s_mean"),
            rebuffer_ratio=self._waves.compare("rebuffer_ratio"),
            local_start_ratio=self._waves.compare("local_start_ratio"),
            model=_model_line(snapshot.models, self._state.baseline),
            forecast=_forecast_line(read_backtest(self._resources["storage"].store())),
            snapshot_id=snapshot.snapshot_id,
            experience=self._waves.experience,
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
            tick = cast("dg.SensorResult", sensor(context))
            cursor = tick.cursor
            for wanted in tick.dynamic_partitions_requests or []:
                instance.add_dynamic_partitions(wanted.partitions_def_name, list(wanted.partition_keys))
            requests.extend(tick.run_requests or [])
        return requests

    def _disks(self) -> EdgeDisks:
        return EdgeDisks(self._settings, self._network)

    def _services(self) -> list[Service]:
        return serving_services(
            self._settings, self._network, edge_capacities(self._network, self._state.catalogue_size_bytes)
        )

    def _sessions_per_wave(self) -> int:
        return self._options.sessions_per_wave or (
            FIRST_WAVE_SESSIONS if self._state.loops == 0 else LATER_WAVE_SESSIONS
        )

    def _beats_acknowledged(self) -> int:
        """Beats of viewers that the collector made durable, each once, whoever was told of it."""
        reader = self._resources["event_log"].reader()
        keys: set[tuple[str, int, int]] = set()
        for writer in reader.writers():
            if writer == HISTORY_WRITER:
                continue
            for segment in reader.segments(writer):
                for record, _ in reader.read(writer, segment):
                    event = decode_record(record)
                    if isinstance(event, BeatsRecord):
                        keys.update((beat.session_id, beat.boot, beat.seq) for beat in event.beats)
        return len(keys)

    def _assets_by_day(self) -> list[dg.AssetKey]:
        graph = self._runner.definitions.resolve_asset_graph()
        return [
            key
            for key in graph.get_all_asset_keys()
            if key.path[0] == taxonomy.WAREHOUSE and graph.get(key).is_partitioned
        ]

    def _beats_in_lake(self) -> int:
        try:
            beats = self._resources["warehouse"].read("raw.heartbeats", ["session_id", "boot", "seq"])
        except WarehouseTableMissing:
            return 0
        return int(beats.n_unique())

    def _reload_control(self) -> None:
        request = urllib.request.Request(f"{self._settings.control_url}/system/reload", method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                healthy = set(json.load(answer)["healthy_edges"])
        except urllib.error.URLError as error:
            raise StageError(f"the control API does not reload ({error}); see logs/control.log") from error
        missing = {edge.edge_id for edge in self._network.edges} - healthy
        if missing:  # a comparison with edges missing would compare something else
            raise StageError(f"the control API does not see {', '.join(sorted(missing))}; see logs/control.log")


def _model_line(models: Sequence[ModelRecord], baseline: tuple[str, float] | None) -> ModelLine:
    for record in models:
        if record.metric_value is not None:
            return ModelLine(
                name=record.name,
                version=record.version,
                metric=record.metric_name,
                value=record.metric_value,
                baseline=baseline[0] if baseline else "",
                baseline_value=baseline[1] if baseline else None,
            )
    return ModelLine()


def _forecast_line(backtest: BacktestRecord | None) -> ForecastLine:
    if backtest is None:
        return ForecastLine()
    errors = {f"WAPE {name}": value for name, value in backtest.wape_total.items()}
    return ForecastLine(published=backtest.published, reason=backtest.reason, metrics=errors)
