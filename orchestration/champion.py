"""`matinee champion`: which ranking model is served, which is tried beside it, and back to the one before.

A move of the champion counts at once: the lists are made again and published by the jobs that do so every hour. They
alone need Dagster, which is loaded then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from ml.tracking import CHALLENGER, CHAMPION, PREVIOUS, RegisteredVersion, Tracker
from orchestration.defs.recommender.registry import PRIMARY_METRIC, TOP_N
from orchestration.edge.topology import read_network
from orchestration.experiments import declared_trial
from orchestration.settings import Settings


class ChampionError(Exception):
    """What was asked cannot be done; the message says what to do instead."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """What was done in the registry.

    Attributes:
        told: In words.
        again: The command that would leave the registry as it is now, and publish.
    """

    told: str
    again: str


def open_tracker(settings: Settings) -> Tracker:
    """The registry of an installation."""
    return Tracker(settings.mlflow_uri, settings.mlflow_artifact_folder)


def describe(tracker: Tracker) -> list[str]:
    """A line for each version that counts."""
    named = {alias: tracker.aliased(TOP_N, alias) for alias in (CHAMPION, CHALLENGER, PREVIOUS)}
    return [f"{name}: {_described(version)}" for name, version in (named | {"newest": tracker.latest(TOP_N)}).items()]


def put_on_trial(tracker: Tracker, version: int) -> Move:
    """Try a version beside the champion.

    Raises:
        ChampionError: It is the champion, or no experiment that runs today has an arm for it.
        ModelMissing: There is no such version.
    """
    trial = declared_trial(dt.datetime.now(dt.UTC).date())
    if not trial:
        raise ChampionError(
            "no experiment that runs today has an arm whose ranking is `challenger`; declare one in "
            "dbt/seeds/experiments.csv, and build_warehouse, first"
        )
    champion = tracker.champion(TOP_N)
    if champion is not None and champion.version == version:
        raise ChampionError(
            f"version {version} is the champion: both arms of {trial} would show the same pages. Try another one; "
            "`matinee champion show` names the newest"
        )
    tracker.try_beside_champion(TOP_N, version, experiment_id=trial)
    return Move(told=f"version {version} is on trial beside the champion", again=f"matinee champion try {version}")


def make_champion(tracker: Tracker, version: int | None) -> Move:
    """Make a version the champion, by default the one on trial.

    Raises:
        ChampionError: None is given, and none is on trial.
        ModelMissing: There is no such version.
    """
    if version is None:
        on_trial = tracker.aliased(TOP_N, CHALLENGER)
        if on_trial is None:
            raise ChampionError("no model is on trial; say which version, such as `matinee champion promote 7`")
        version = on_trial.version
    tracker.promote(TOP_N, version)
    return Move(told=f"version {version} is the champion now", again=f"matinee champion promote {version}")


def roll_back(tracker: Tracker) -> Move:
    """Make the champion before this one champion again.

    Raises:
        ModelMissing: There was none.
    """
    version = tracker.roll_back(TOP_N).version
    return Move(told=f"version {version} is the champion again", again=f"matinee champion promote {version}")


def publish_move(settings: Settings, move: Move) -> Iterator[str]:
    """Say what was done, let it count, and say that too.

    Raises:
        ChampionError: It was not published; the message says how to go on.
    """
    yield move.told
    from orchestration.demo.runs import RunFailed

    try:
        yield publish(settings)
    except RunFailed as error:
        raise ChampionError(
            f"{error}\nThe registry is as said, but that is not published: viewers still get the pages from before. "
            f"Mend what failed and run `{move.again}`; hourly jobs, where they are on, publish it too"
        ) from error


def publish(settings: Settings) -> str:
    """Make the lists of champion and challenger as of now, and publish them.

    Returns:
        What the jobs published, in words.

    Raises:
        RunFailed: A job failed; what was served stays.
    """
    from orchestration import automation
    from orchestration.build import build_definitions
    from orchestration.demo.runs import JobRunner
    from orchestration.instance import open_instance

    runner = JobRunner(build_definitions(settings), open_instance(settings, read_network()))
    runner.run(automation.UPDATE_RECOMMENDATIONS)
    result = runner.run(automation.PUBLISH_SNAPSHOT)
    return f"published by run {result.run_id}"


def _described(version: RegisteredVersion | None) -> str:
    if version is None:
        return "none"
    metric = version.metrics.get(PRIMARY_METRIC)
    return f"version {version.version}" + ("" if metric is None else f", NDCG@10 {metric:.4f} when it was trained")
