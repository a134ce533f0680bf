"""The order of the demo: which stage feeds which, once round the loop.

What each stage does stands in ``stages``; here stands when, and with what in hand. An interrupted demo is run again:
every stage leaves what is done alone.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console

from orchestration.demo.board import Board, output_to_log
from orchestration.demo.edge_disks import STARTING, EdgeDisks
from orchestration.demo.home_lock import HomeInUse, lock_home, lock_viewers
from orchestration.demo.loading import without_garbage_collection
from orchestration.demo.options import DEFAULT_SEED, DEFAULT_WORLD, HISTORY_DAYS, PLACED, PULL_ONLY, DemoOptions
from orchestration.demo.state import DemoState, DemoStateError, load_state, save_state
from orchestration.demo.stay import (
    edge_capacities,
    serving_urls,
    start_dagster,
    stay,
    terminate_as_interrupt,
    warn_of_development_secret,
)
from orchestration.demo.summary import DemoSummary, print_summary, write_summary
from orchestration.edge.topology import Network, read_network
from orchestration.services import ServiceError, ServiceFleet, choose_ports, serving_services
from orchestration.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from orchestration.demo.stages import Stages

DAGSTER_PORT = 3000


def run_demo(options: DemoOptions) -> int:
    """Run the loop, print the summary, stay up unless told not to. Returns the process's exit code."""
    console = Console(highlight=False)
    try:
        settings = read_settings()
        with lock_home(settings.home):
            state = _resume_or_begin(settings, options)
            first_event_day = (state.now - dt.timedelta(days=HISTORY_DAYS)).date()
            return _run(choose_ports(replace(settings, first_event_day=first_event_day)), options, state)
    except (SettingsError, DemoStateError, HomeInUse) as error:
        console.print(f"[red]{error}[/red]")
        return 2


def _run(settings: Settings, options: DemoOptions, state: DemoState) -> int:
    started = time.monotonic()
    log = settings.home / "logs" / "demo.log"
    with terminate_as_interrupt(), output_to_log(log) as screen, ServiceFleet(settings.home / "logs") as fleet:
        try:
            network = read_network()
            warn_of_development_secret(settings, screen)
            if state.loops:
                _launch_serving(settings, network, state, fleet)
            with without_garbage_collection():
                from orchestration.demo.stages import Stages  # loads Dagster, whose messages belong in the log

            stages = Stages(
                settings=settings,
                network=network,
                state=state,
                board=Board(screen),
                fleet=fleet,
                options=options,
            )
            with lock_viewers(settings.home, alone=True):
                summary = go_round(stages, state)
            summary.seconds = round(time.monotonic() - started, 1)
            if not options.exit_at_end:
                summary.urls = serving_urls(settings)
            if options.summary_path is not None:
                write_summary(summary, options.summary_path)
            if not options.exit_at_end:
                with screen.status("Starting Dagster's UI ..."):
                    summary.urls["Dagster"] = start_dagster(fleet, settings, DAGSTER_PORT)
            print_summary(summary, screen)
            if not options.exit_at_end:
                stay(fleet, screen)
        except KeyboardInterrupt:
            screen.print("\nStopping. Run it again to go on where it was.")
            return 0 if state.loops else 130
        except _expected_errors() as error:
            screen.print(f"\n[red]{type(error).__name__}[/red]: {error}", markup=True)
            screen.print(f"What the stages said is in {log}. Run it again to go on where it was.")
            return 1
    return 0


def go_round(stages: Stages, state: DemoState) -> DemoSummary:
    """Once round the loop: everything on the first time, a new wave of viewers on later ones."""
    first = state.loops == 0
    stages.prepare()
    stages.land_masters()
    stages.ingest_masters()
    stages.build_world()
    if first:
        stages.load_catalogue()
        stages.ingest_events()
        stages.build_warehouse(whole_history=True)
        stages.publish_snapshot()
        stages.start_serving(empty_edges=True)
        stages.warm_edges()
    else:
        if stages.has_new_titles:
            stages.load_catalogue()
        stages.start_serving()
    stages.play(PULL_ONLY)
    if first:
        stages.ingest_events()
        stages.build_warehouse(days_only=True)
        stages.train_models()
        stages.forecast_demand()
        stages.plan_placement()
    stages.fill_edges()
    if first:
        stages.publish_snapshot()
    stages.play(PLACED)
    stages.ingest_events()
    stages.build_warehouse(days_only=not first and not stages.has_new_titles)
    if stages.has_new_titles and not first:
        stages.publish_snapshot()
    stages.remember_loop()
    return stages.summary()


def _launch_serving(settings: Settings, network: Network, state: DemoState, fleet: ServiceFleet) -> None:
    """Let the servers of a published installation start while Dagster is loaded."""
    EdgeDisks(settings, network).lay_out(STARTING)
    fleet.launch(serving_services(settings, network, edge_capacities(network, state.catalogue_size_bytes)))


def _resume_or_begin(settings: Settings, options: DemoOptions) -> DemoState:
    state = load_state(settings.home)
    if state is None:
        now = dt.datetime.now(dt.UTC)
        seed = DEFAULT_SEED if options.seed is None else options.seed
        state = DemoState(world=options.world or DEFAULT_WORLD, seed=seed, now=now)
        save_state(settings.home, state)
    elif options.world not in (None, state.world):
        raise DemoStateError(
            f"{settings.home} holds the {state.world} world, and {options.world} was asked for; leave the world out, "
            "give another folder by MATINEE_HOME, or start anew with `make clean`"
        )
    elif options.seed not in (None, state.seed):
        raise DemoStateError(
            f"{settings.home} holds a world drawn with seed {state.seed}, and seed {options.seed} was asked for; leave "
            "the seed out, give another folder by MATINEE_HOME, or start anew with `make clean`"
        )
    return state


def _expected_errors() -> tuple[type[Exception], ...]:
    from orchestration.demo.runs import RunFailed
    from orchestration.demo.stages import StageError
    from orchestration.edge import EdgeError
    from orchestration.media import MediaError
    from orchestration.sample import SampleWorldError

    return RunFailed, StageError, ServiceError, EdgeError, MediaError, SampleWorldError
