"""The interval of the experiments' mart, as its SQL computes it, looked at after every few viewers."""

from pathlib import Path

import duckdb
import jinja2
import numpy as np
import polars as pl
import pytest

MACRO = Path(__file__).parents[3] / "dbt" / "macros" / "always_valid.sql"
EXPERIMENTS = 500
LOOKS = range(100, 2001, 100)
ORDINARY = 1.96


@pytest.fixture(scope="module")
def radius():
    """The macro as an SQL expression over the columns standard_error and viewers."""
    module = jinja2.Template(MACRO.read_text(encoding="utf-8")).module
    return module.always_valid_radius("standard_error", "viewers", 2000)


@pytest.fixture(scope="module")
def looks():
    """Differences between two arms that do not differ, in each experiment at each look: skewed counts of plays."""
    rng = np.random.default_rng(3)
    viewers = max(LOOKS)
    plays = rng.negative_binomial(1.0, 0.3, (EXPERIMENTS, viewers)).astype(float)
    in_one_arm = rng.random((EXPERIMENTS, viewers)) < 0.5
    frames = []
    for seen in LOOKS:
        arms = [np.where(members, plays[:, :seen], 0.0) for members in (in_one_arm[:, :seen], ~in_one_arm[:, :seen])]
        sizes = [members.sum(axis=1) for members in (in_one_arm[:, :seen], ~in_one_arm[:, :seen])]
        means = [arm.sum(axis=1) / size for arm, size in zip(arms, sizes, strict=True)]
        variances = [
            ((arm**2).sum(axis=1) - size * mean**2) / (size - 1)
            for arm, size, mean in zip(arms, sizes, means, strict=True)
        ]
        error = np.sqrt(variances[0] / sizes[0] + variances[1] / sizes[1])
        frames.append(
            pl.DataFrame(
                {
                    "experiment": np.arange(EXPERIMENTS),
                    "viewers": seen,
                    "difference": means[0] - means[1],
                    "standard_error": error,
                }
            )
        )
    return pl.concat(frames)


def wrong_at_some_look(looks, radius):
    """Share of the experiments whose interval leaves out 0, the truth, at any look."""
    query = f"select experiment, bool_or(abs(difference) > {radius}) as wrong from looks group by experiment"
    with duckdb.connect() as connection:
        connection.register("looks", looks.to_arrow())
        return connection.execute(query).pl()["wrong"].mean()


def test_looking_often_finds_no_difference_where_there_is_none(looks, radius):
    assert wrong_at_some_look(looks, f"{ORDINARY} * standard_error") > 0.2
    assert wrong_at_some_look(looks, radius) <= 0.05


def test_it_costs_less_than_twice_the_width_when_as_many_come_as_planned(radius):
    with duckdb.connect() as connection:
        (width,) = connection.execute(
            f"select {radius} from (select 1.0 as standard_error, 2000 as viewers)"
        ).fetchone()
    # Robbins' normal mixture at its best time: sqrt(2 (m + 1) / m ln(sqrt(m + 1) / .05)) with m = rho^2 n = 7.936
    assert width == pytest.approx(3.035, abs=0.001)
    assert width < 2 * ORDINARY
