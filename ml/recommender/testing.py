"""A small published model for the tests of whatever serves one. Nothing that runs in production imports this module."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl

from ml.recommender.affinity import fit_affinity
from ml.recommender.features import read_interactions, read_title_facts, read_viewer_facts
from ml.recommender.publication import publish
from ml.recommender.top_n import Recipe, fit_top_n

START = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
VIEWERS = 40
WATCHED_EACH = 6


def publish_two_camps(folder: Path, *, titles: int) -> Path:
    """Publish a model of two camps of viewers: even ones watch even titles, odd ones odd ones.

    Viewers are ``v-000`` to ``v-039`` in region ``north``, titles ``s-0000`` upwards. Each viewer watched six titles in
    the days after ``START``. Beside them ``v-new-odd`` has watched nothing and is of the age of the odd ones.

    Args:
        folder: Where to; made when missing.
        titles: How many there are.

    Returns:
        The folder.
    """
    generator = np.random.default_rng(0)
    viewing = [
        {
            "session_id": f"b-{viewer}-{place}", "viewer_id": f"v-{viewer:03d}", "title_id": f"s-{title:04d}",
            "region_id": "north", "completion": 0.9, "started_at": START + dt.timedelta(days=place),
        }
        for viewer in range(VIEWERS)
        for place, title in enumerate(generator.permutation(np.arange(viewer % 2, titles, 2))[:WATCHED_EACH].tolist())
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
    ages = {f"v-{viewer:03d}": "55+" if viewer % 2 else "18-24" for viewer in range(VIEWERS)} | {"v-new-odd": "55+"}
    viewers = pl.DataFrame({"viewer_id": list(ages), "age_band": list(ages.values())})
    viewer_facts = read_viewer_facts(viewers.with_columns(preferred_genres=pl.lit(None)))
    publish(folder, model, affinity, interactions, facts, model_version="top-n-1", viewer_facts=viewer_facts)
    return folder
