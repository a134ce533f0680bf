"""The experiments on home pages as the seed declares them: for the snapshot, and for the gate before the champion."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from orchestration.edge.topology import SEEDS_FOLDER
from playback_api.snapshot import ArmRecord, ExperimentRecord

_COLUMNS = {
    "experiment_id": pl.String,
    "arm": pl.String,
    "is_control": pl.Boolean,
    "share": pl.Float64,
    "exploration_share": pl.Float64,
    "ranking": pl.String,
    "last_day": pl.Date,
}


def read_experiments(seeds_folder: Path = SEEDS_FOLDER) -> list[ExperimentRecord]:
    """Read ``experiments.csv``; whether the arms make sense is for the check on the candidate to say.

    Raises:
        polars.exceptions.PolarsError: A column is missing or a value has the wrong form.
    """
    declared = pl.read_csv(seeds_folder / "experiments.csv", schema=_COLUMNS)
    return [
        ExperimentRecord(
            experiment_id=str(experiment_id),
            last_day=arms["last_day"][0],
            arms=[ArmRecord(**arm) for arm in arms.drop("experiment_id", "last_day").iter_rows(named=True)],
        )
        for (experiment_id,), arms in declared.group_by("experiment_id", maintain_order=True)
    ]


def declared_trial(today: dt.date, seeds_folder: Path = SEEDS_FOLDER) -> str:
    """The id of the experiment that runs today and has an arm for the model on trial; empty where there is none."""
    running = (experiment for experiment in read_experiments(seeds_folder) if experiment.runs(today))
    return next((experiment.experiment_id for experiment in running if experiment.tries_challenger), "")
