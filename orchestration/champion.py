"""`matinee champion`: which ranking model is served, which is tried beside it, and back to the one before.

A move of the champion counts at once: the lists are made again and published by the jobs that do so every hour.
"""

from __future__ import annotations

import datetime as dt

from ml.tracking import CHALLENGER, CHAMPION, PREVIOUS, RegisteredVersion, Tracker
from orchestration import automation
from orchestration.build import build_definitions
from orchestration.defs.recommender.registry import PRIMARY_METRIC, TOP_N
from orchestration.demo.runs import JobRunner
from orchestration.edge.topology import read_network
from orchestration.experiments import declared_trial
from orchestration.instance import open_instance
from orchestration.settings import Settings


class ChampionError(Exception):
    """What was asked cannot be done; the message says what to do instead."""


def open_tracker(settings: Settings) -> Tracker:
    """The registry of an installation."""
    return Tracker(settings.mlflow_uri, settings.mlflow_artifact_folder)


def describe(tracker: Tracker) -> list[str]:
    """A line for each version that counts."""
    named = {alias: tracker.aliased(TOP_N, alias) for alias in (CHAMPION, CHALLENGER, PREVIOUS)}
    return [f"{name}: {_described(version)}" for name, version in (named | {"newest": tracker.latest(TOP_N)}).items()]


def put_on_trial(tracker: Tracker, version: int) -> str:
    """Try a version beside the champion; says so.

    Raises:
        ChampionError: No experiment that runs today has an arm for it.
        ModelMissing: There is no such version.
    """
    trial = declared_trial(dt.datetime.now(dt.UTC).date())
    if not trial:
        raise ChampionError(
            "no experiment that runs today has an arm whose ranking is `challenger`; declare one in "
            "dbt/seeds/experiments.csv, and build_warehouse, first"
        )
    tracker.try_beside_champion(TOP_N, version, experiment_id=trial)
    return f"version {version} is on trial beside the champion"


def make_champion(tracker: Tracker, version: int | None) -> str:
    """Make a version the champion, by default the one on trial; says so.

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
    return f"version {version} is the champion now"


def roll_back(tracker: Tracker) -> str:
    """Make the champion before this one champion again; says so.

    Raises:
        ModelMissing: There was none.
    """
    return f"version {tracker.roll_back(TOP_N).version} is the champion again"


def publish(settings: Settings) -> str:
    """Make the lists of champion and challenger as of now, and publish them.

    Returns:
        What the jobs published, in words.

    Raises:
        RunFailed: A job failed; what was served stays.
    """
    runner = JobRunner(build_definitions(settings), open_instance(settings, read_network()))
    runner.run(automation.UPDATE_RECOMMENDATIONS)
    result = runner.run(automation.PUBLISH_SNAPSHOT)
    return f"published by run {result.run_id}"


def _described(version: RegisteredVersion | None) -> str:
    if version is None:
        return "none"
    metric = version.metrics.get(PRIMARY_METRIC)
    return f"version {version.version}" + ("" if metric is None else f", NDCG@10 {metric:.4f} when it was trained")
