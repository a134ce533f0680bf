import datetime as dt
import random

import polars as pl
import pytest

from ml.recommender.errors import ModelFolderError, RecommenderError
from ml.recommender.features import read_interactions
from ml.recommender.shadow import ShadowScore, read_shadow_score, score_in_shadow
from ml.recommender.top_n import Recipe, fit_top_n
from playback_api.domain.home.exploration import ExplorationPool, explore

RANKED = [f"s-{number:04d}" for number in range(10)]
FIRST_PAGE = dt.datetime(2026, 9, 20)


def show(viewing, *, days, epsilon=0.4):
    """Pages that show everybody the same titles; who opens one plays titles of their own camp now and then."""
    generator = random.Random(1)
    title_ids = sorted(viewing["title_id"].unique())
    watched = dict(viewing.group_by("viewer_id").agg("title_id").iter_rows())
    rows = []
    for day in range(days):
        for viewer_id, seen in sorted(watched.items()):
            camp = int(viewer_id[2:]) % 2
            ranked = [title_id for title_id in RANKED if title_id not in seen]
            pool = ExplorationPool(title_ids, set(title_ids), {*ranked, *seen})
            for position, placing in enumerate(explore(ranked, pool, generator, epsilon=epsilon)):
                likes = int(placing.title_id[2:]) % 2 == camp
                rows.append(
                    {
                        "impression_id": f"{viewer_id}-{day}", "viewer_id": viewer_id, "region_id": "north",
                        "title_id": placing.title_id, "position": position, "propensity": placing.propensity,
                        "is_explored": placing.explored, "is_played": likes and generator.random() < 0.3,
                        "shown_at": FIRST_PAGE + dt.timedelta(days=day),
                    }
                )  # fmt: skip
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def model(viewing):
    return fit_top_n(read_interactions(viewing), Recipe())


def test_a_model_that_knows_the_camps_would_have_earned_more_than_the_same_for_all(model, viewing, titles):
    score = score_in_shadow(model, viewing, titles, show(viewing, days=20), seed=0)

    assert score.refused == ""
    assert score.estimate.pages == 1600
    assert score.estimate.difference.low > 0
    assert score.described().startswith("would have earned")


def test_what_was_watched_after_the_first_page_is_not_known_to_it(model, viewing, titles):
    shown = show(viewing, days=20)
    later = viewing.with_columns(started_at=pl.col("started_at") + dt.timedelta(days=100))

    score = score_in_shadow(model, later, titles, shown, seed=0)

    assert "no viewing yet" in score.refused


def test_too_few_pages_are_refused(model, viewing, titles):
    few = score_in_shadow(model, viewing, titles, show(viewing, days=1, epsilon=0.1), seed=0)
    none = score_in_shadow(model, viewing, titles, show(viewing, days=1).clear(), seed=0)

    assert "an estimate needs 100 and 20" in few.refused
    assert none.described() == "no shadow score: no page was shown yet"


def test_a_wrong_frame_is_refused(model, viewing, titles):
    with pytest.raises(RecommenderError, match="no column propensity"):
        score_in_shadow(model, viewing, titles, show(viewing, days=1).drop("propensity"), seed=0)


def test_a_score_is_kept_with_the_model(model, viewing, titles, tmp_path):
    score = score_in_shadow(model, viewing, titles, show(viewing, days=20), seed=0)
    score.save(tmp_path)

    assert read_shadow_score(tmp_path) == score
    ShadowScore(refused="too few").save(tmp_path)
    assert read_shadow_score(tmp_path).refused == "too few"
    with pytest.raises(ModelFolderError, match="no shadow score"):
        read_shadow_score(tmp_path / "elsewhere")
