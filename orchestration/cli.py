"""`matinee`: the command line of an installation.

Here belong the commands and their options; each hands over to the module that does the work, imported only then, so
that `matinee --help` and `matinee doctor` are quick.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from ml.tracking import Tracker
    from orchestration.settings import Settings

app = App(
    name="matinee",
    help="A video-on-demand platform whose whole life is one Dagster asset graph.",
    default_parameter=Parameter(negative_iterable=""),  # no `--empty-region` beside `--region`
)


@app.command
def demo(
    *,
    exit_at_end: Annotated[bool, Parameter(name="--exit", negative="")] = False,
    summary: Path | None = None,
    world: Literal["sample", "movielens"] | None = None,
    sessions: int | None = None,
    seed: int | None = None,
) -> int:
    """Run the whole loop on this machine, print a summary, and stay up until Ctrl-C.

    Args:
        exit_at_end: End by itself after the summary.
        summary: Also write the summary to this file, as JSON.
        world: Whose titles and viewers to use: `sample` for a new home folder, which then keeps its world; `movielens`
            reads ratings/ml-1m below MATINEE_DATA.
        sessions: How many sessions a wave plays; by default enough for a clear picture within the time.
        seed: Draws the sample world and the viewers; 7 for a new home folder, which then keeps its seed.
    """
    from orchestration.demo.loop import run_demo
    from orchestration.demo.options import DemoOptions

    chosen = world or os.environ.get("MATINEE_WORLD") or None
    return run_demo(
        DemoOptions(exit_at_end=exit_at_end, summary_path=summary, world=chosen, sessions_per_wave=sessions, seed=seed)
    )


@app.command
def up(*, dagster_port: int = 3000, ui: bool = True) -> int:
    """Serve what is published, with Dagster's UI and daemon, until Ctrl-C.

    Args:
        dagster_port: Where Dagster's UI answers.
        ui: Start Dagster too.
    """
    from orchestration.demo.stay import serve_until_interrupted

    return serve_until_interrupted(dagster_port=dagster_port, with_dagster=ui)


@app.command
def plan(
    *,
    what_if: list[str],
    region: list[str] | None = None,
    days: int = 3,
    today: str = "",
    plot: Path | None = None,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> int:
    """Say what other disks, budgets or limits would do, by planning and replaying the last days. Changes nothing.

    Args:
        what_if: `capacity=0.5,1,2,4` (times today's disks) or `capacity=500GB,1TB`; `fill_budget=2GB,10GB` an edge and
            night; `upstream=2GB,10GB` an edge and day. All may be asked at once; every combination is answered.
        region: Only this region; may be given several times.
        days: How many of the last complete days are replayed.
        today: The first day that is not complete, such as 2026-11-22; by default today (UTC).
        plot: Also draw the hit ratio by edge size into this file, as PNG.
        json_file: Also write the answers to this file, as JSON.
    """
    from orchestration.defs.edge.what_if import WhatIfError
    from orchestration.resources.warehouse import WarehouseTableMissing
    from orchestration.settings import SettingsError
    from orchestration.what_if import run_what_if

    try:
        run_what_if(what_if, regions=region or (), days=days, today=today, plot_path=plot, json_path=json_file)
    except (WhatIfError, SettingsError, WarehouseTableMissing) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


@app.command
def why(title: str, /, *, region: list[str] | None = None, plan: str = "") -> int:
    """Say why a title is on an edge, or is not: what the plan in force of every region thought of it.

    Args:
        title: Its id, such as s-0042.
        region: Only this region; may be given several times.
        plan: A plan that is kept, refused ones too, by its id; by default the one in force.
    """
    from rich.console import Console

    from orchestration.settings import SettingsError, read_settings
    from orchestration.why import WhyError, ask, print_answers

    try:
        print_answers(ask(read_settings(), title, regions=region or (), plan_id=plan), Console())
    except (WhyError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


@app.command
def pace(*, at: str = "") -> int:
    """Hold each region's running day against its forecast, and say what the hourly rebalance would do. Changes nothing.

    Ends with 1 when it cannot tell of a region.

    Args:
        at: A moment with its offset, such as 2026-11-22T12:30:00+00:00; by default now.
    """
    import datetime as dt

    from rich.console import Console

    from orchestration.defs.edge.pace import read_moment
    from orchestration.pace import look, print_looks
    from orchestration.settings import SettingsError, read_settings

    try:
        now = read_moment(at) if at else dt.datetime.now(dt.UTC)
        looks = look(read_settings(), now)
    except (SettingsError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print_looks(looks, Console())
    return 0 if all(found.pace for found in looks) else 1


@app.command
def probe(first: Path, /, *others: Path) -> int:
    """Say of each file whether it can be a master, as one JSON object a line. Ends with 1 when any is rejected.

    What cannot be read (missing, a folder, no permission) is rejected like any other, and the others are probed.

    Args:
        first: A file of whatever kind.
        others: More of them.
    """
    import msgspec

    from orchestration.media import probe_file, report_unreadable

    rejected = False
    for file in (first, *others):
        try:
            report = probe_file(file)
        except OSError as error:
            report = report_unreadable(file, error)
        rejected = rejected or report.verdict == "rejected"
        print(msgspec.json.encode(report).decode())
    return 1 if rejected else 0


@app.command
def doctor() -> int:
    """Check what an installation needs: programs, folders, addresses and settings."""
    from orchestration.doctor import examine

    findings = examine()
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        print(f"{finding.mark:<4}  {finding.subject:<{width}}  {finding.detail}")
    return 0 if all(finding.ok for finding in findings) else 1


@app.command
def simulate(*, sessions: int = 60, seed: int = 1) -> int:
    """Play a wave of sample viewers against the serving plane that is up, and print what they experienced.

    Args:
        sessions: How many sessions to play.
        seed: Draws viewers, titles and links.
    """
    from orchestration.demo.home_lock import HomeInUse
    from orchestration.demo.simulate import simulate_wave
    from orchestration.demo.state import DemoStateError
    from orchestration.services import ServiceError
    from orchestration.settings import SettingsError

    try:
        print(json.dumps(simulate_wave(sessions=sessions, seed=seed), indent=2))
    except (DemoStateError, HomeInUse, ServiceError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


champion = App(name="champion", help="Which ranking model is served, which is tried beside it, and the way back.")
app.command(champion)


@champion.command
def show() -> int:
    """Print the versions that are champion, on trial, and champion before."""
    from orchestration.champion import describe

    return _ask_registry(lambda _, tracker: describe(tracker))


@champion.command(name="try")
def try_version(version: int, /) -> int:
    """Put a version on trial: it makes the pages of the arm that `experiments.csv` declares for the challenger.

    Args:
        version: Of the registered ranking model, whether its gate let it pass or not.
    """
    from orchestration.champion import publish_move, put_on_trial

    return _ask_registry(lambda settings, tracker: publish_move(settings, put_on_trial(tracker, version)))


@champion.command
def promote(version: int | None = None, /) -> int:
    """Make a version the champion, and publish. A trial ends with it.

    Args:
        version: Of the registered ranking model; by default the one on trial.
    """
    from orchestration.champion import make_champion, publish_move

    return _ask_registry(lambda settings, tracker: publish_move(settings, make_champion(tracker, version)))


@champion.command
def rollback() -> int:
    """Make the champion before this one champion again, and publish. Doing it twice undoes it."""
    from orchestration.champion import publish_move, roll_back

    return _ask_registry(lambda settings, tracker: publish_move(settings, roll_back(tracker)))


def _ask_registry(answer: Callable[[Settings, Tracker], Iterable[str]]) -> int:
    """Print the lines of an answer as they come."""
    from ml.tracking import TrackingError
    from orchestration.champion import ChampionError, open_tracker
    from orchestration.settings import SettingsError, read_settings

    try:
        settings = read_settings()
        for line in answer(settings, open_tracker(settings)):
            print(line)
    except (ChampionError, SettingsError, TrackingError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def main() -> None:
    """Entry point of the `matinee` script."""
    result = app()
    sys.exit(result if isinstance(result, int) else 0)


if __name__ == "__main__":
    main()
