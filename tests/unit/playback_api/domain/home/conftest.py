"""A model as training publishes it, for pages that are made by the real thing."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from ml.recommender import publish, read_interactions, read_title_facts, read_viewer_facts
from ml.recommender.affinity import fit_affinity
from ml.recommender.top_n import Recipe, fit_top_n

START = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


def publish_model(folder, *, titles):
    """Two camps of viewers: even ones watch even titles, odd ones odd ones, at whose age ``v-new-odd`` is too."""
    generator = np.random.default_rng(0)
    viewing = [
        {
            "session_id": f"b-{viewer}-{place}", "viewer_id": f"v-{viewer:03d}", "title_id": f"s-{title:04d}",
            "region_id": "north", "completion": 0.9, "started_at": START + dt.timedelta(days=place),
        }
        for viewer in range(40)
        for place, title in enumerate(generator.permutation(np.arange(viewer % 2, titles, 2))[:6].tolist())
    ]  # fmt: skip
    catalogue = pl.DataFrame(
        {
            "title_id": [f"s-{number:04d}" for number in range(titles)],
            "package_id": ["p"] * titles,
            "genres": [["drama"]] * titles,
            "release_date": [dt.date(2020, 1, 1)] * titles,
        }
    )
    facts = read_title_facts(catalogue)
    interactions = read_interactions(pl.DataFrame(viewing), title_ids=facts.title_ids)
    model, affinity = fit_top_n(interactions, Recipe()), fit_affinity(interactions, seed=0)
    ages = {f"v-{viewer:03d}": "55+" if viewer % 2 else "18-24" for viewer in range(40)} | {"v-new-odd": "55+"}
    viewers = pl.DataFrame({"viewer_id": list(ages), "age_band": list(ages.values())})
    viewer_facts = read_viewer_facts(viewers.with_columns(preferred_genres=pl.lit(None)))
    publish(folder, model, affinity, interactions, facts, model_version="top-n-1", viewer_facts=viewer_facts)
    return folder


@pytest.fixture(scope="session")
def small_model(tmp_path_factory):
    """Twenty titles: every list holds all that a viewer has not seen."""
    return publish_model(tmp_path_factory.mktemp("small") / "model", titles=20)


@pytest.fixture(scope="session")
def large_model(tmp_path_factory):
    """More titles than a list holds."""
    return publish_model(tmp_path_factory.mktemp("large") / "model", titles=200)
