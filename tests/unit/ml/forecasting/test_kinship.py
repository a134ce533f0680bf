import datetime as dt

import numpy as np
import polars as pl

from ml.forecasting import build_panel
from ml.forecasting.kinship import kin_debuts, name_vectors

START = dt.date(2026, 11, 2)
NAMES = {"a": "La casa azul", "b": "La casa roja", "c": "Winter hunters", "d": "Winter riders"}


def panel_of(coming: str):
    """Spanish names come out in region ES alone, English ones in UK alone; a title without history is to come."""
    rows = [
        (region, title, START + dt.timedelta(days=day), 5)
        for region, title in (("ES", "a"), ("ES", "b"), ("UK", "c"), ("UK", "d"))
        for day in range(4, 12)
    ] + [("ES", "old", START, 1), ("UK", "old", START, 1)]
    titles = pl.DataFrame(
        {
            "title_id": [*NAMES, "new"],
            "name": [*NAMES.values(), coming],
            "release_date": [START + dt.timedelta(days=4)] * 4 + [START + dt.timedelta(days=12)],
        }
    )
    demand = pl.DataFrame(rows, schema=["region_id", "title_id", "event_day", "sessions"], orient="row")
    return build_panel(demand, titles, today=START + dt.timedelta(days=12))


def test_a_new_title_takes_the_debuts_of_the_titles_that_sound_like_it():
    for coming, home in (("La casa verde", "ES"), ("Winter walkers", "UK")):
        panel = panel_of(coming)
        share = kin_debuts(panel)[:, panel.titles.index("new")]
        assert share[panel.regions.index(home)] > 0.6
        assert share[1 - panel.regions.index(home)] < 0.4


def test_a_name_like_no_other_takes_the_mean_of_all_debuts():
    panel = panel_of("Xyzzy")
    assert np.allclose(kin_debuts(panel)[:, panel.titles.index("new")], 0.5)


def test_only_new_titles_are_judged_by_their_name():
    panel = panel_of("Xyzzy")
    assert np.isnan(kin_debuts(panel)[:, panel.titles.index("old")]).all()


def test_vectors_have_length_one_and_none_without_a_name():
    vectors = name_vectors(("La casa", "", "Winter"))
    assert np.allclose(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel(), [1.0, 0.0, 1.0])
