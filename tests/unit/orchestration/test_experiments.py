import datetime as dt

import polars as pl
import pytest

from orchestration.experiments import declared_trial, read_experiments
from playback_api.snapshot import ArmRecord, ExperimentRecord

HEADER = "experiment_id,arm,is_control,share,exploration_share,ranking,last_day"


def test_arms_are_gathered_by_experiment_in_the_order_of_the_file(tmp_path):
    rows = [HEADER, "b,one,true,0.9,,model,2026-12-31", "b,two,false,0.1,0.2,popularity,2026-12-31", "a,x,true,1,,,"]
    (tmp_path / "experiments.csv").write_text("\n".join(rows))

    assert read_experiments(tmp_path) == [
        ExperimentRecord(
            experiment_id="b",
            last_day=dt.date(2026, 12, 31),
            arms=[
                ArmRecord(arm="one", share=0.9, is_control=True, ranking="model"),
                ArmRecord(arm="two", share=0.1, exploration_share=0.2, ranking="popularity"),
            ],
        ),
        ExperimentRecord(experiment_id="a", arms=[ArmRecord(arm="x", share=1.0, is_control=True)]),
    ]


def test_a_share_that_is_no_number_is_refused(tmp_path):
    (tmp_path / "experiments.csv").write_text(f"{HEADER}\na,x,true,half,,,\n")
    with pytest.raises(pl.exceptions.PolarsError):
        read_experiments(tmp_path)


def test_the_declared_experiments_can_be_read():
    assert all(experiment.arms for experiment in read_experiments())


def test_a_declared_trial_from_its_row_on_until_its_last_day(tmp_path):
    rows = [HEADER, "t,champion,true,0.9,,model,2026-12-31", "t,new,false,0.1,,challenger,2026-12-31"]
    (tmp_path / "experiments.csv").write_text("\n".join(rows))
    assert declared_trial(dt.date(2026, 12, 31), tmp_path) == "t"
    assert not declared_trial(dt.date(2027, 1, 1), tmp_path)
    (tmp_path / "experiments.csv").write_text("\n".join(rows[:2]))
    assert not declared_trial(dt.date(2026, 12, 31), tmp_path)
