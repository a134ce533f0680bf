"""A challenger judged in the shadow of what was shown: what its home rows would have earned on pages of the past days.

The challenger's recipe is trained again on what was watched before the first of these pages, and ranks for each page
with what the viewer had watched by then; ``off_policy`` weighs it. The first places of a row never explore and stay as
shown. The ranker's trees are taken as they are: they were grown with the pages' days in sight.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.recommender.assembly import assemble
from ml.recommender.errors import ModelFolderError, RecommenderError, SupportTooThin, ViewingInsufficient
from ml.recommender.features import read_interactions, read_title_facts
from ml.recommender.off_policy import OffPolicyEstimate, ShownPlaces, estimate
from ml.recommender.online import OnlineRecommender, RecentWatch
from ml.recommender.top_n import TopNModel, fit_top_n

SHADOW_FILE = "shadow.json"
MAX_PAGES = 30_000
"""The newest pages count. Each costs some milliseconds, and with a few hundred titles it takes so many."""

SHOWN_COLUMNS = (
    "impression_id", "viewer_id", "region_id", "title_id", "position", "propensity", "is_explored", "is_played",
    "shown_at",
)  # fmt: skip


class ShadowScore(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate, or why there is none."""

    estimate: OffPolicyEstimate | None = None
    refused: str = ""

    def described(self) -> str:
        """In a sentence, for people."""
        if self.estimate is None:
            return f"no shadow score: {self.refused}"
        found = self.estimate
        return (
            f"would have earned {found.doubly_robust.mean:.4g} plays a page where {found.shown.mean:.4g} were "
            f"(difference {found.difference.mean:+.4g}, {found.difference.low:+.4g} to {found.difference.high:+.4g}; "
            f"SNIPS {found.snips.mean:.4g}; {found.pages} pages, {found.effective_places:.0f} drawn places in effect)"
        )

    def save(self, folder: Path) -> None:
        """Write it into a model's folder."""
        (folder / SHADOW_FILE).write_bytes(msgspec.json.encode(self))


def read_shadow_score(folder: Path) -> ShadowScore:
    """Read what ``ShadowScore.save`` wrote.

    Raises:
        ModelFolderError: There is none that can be read.
    """
    try:
        return msgspec.json.decode((folder / SHADOW_FILE).read_bytes(), type=ShadowScore)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelFolderError(f"{folder} holds no shadow score ({error}); train again") from error


def score_in_shadow(
    model: TopNModel, viewing: pl.DataFrame, titles: pl.DataFrame, shown: pl.DataFrame, *, seed: int
) -> ShadowScore:
    """Estimate what a model's recipe would have earned on the pages that were shown.

    Args:
        model: The challenger; its recipe and trees count, not its weights.
        viewing: ``serving.srv_viewing``.
        titles: ``serving.srv_titles``.
        shown: ``serving.srv_main_rows``.
        seed: For the bootstrap.

    Raises:
        RecommenderError: A frame lacks a column.
    """
    missing = [column for column in SHOWN_COLUMNS if column not in shown.columns]
    if missing:
        raise RecommenderError(f"the frame of main rows has no column {', '.join(missing)}")
    viewing, shown = _in_utc(viewing, "started_at"), _in_utc(shown, "shown_at")
    pages = shown.unique("impression_id").sort("shown_at", "impression_id").tail(MAX_PAGES)
    if pages.is_empty():
        return ShadowScore(refused="no page was shown yet")
    first_shown_at: dt.datetime = pages["shown_at"][0]
    rows = shown.join(pages.select("impression_id", page=pl.int_range(pl.len())), on="impression_id")
    try:
        online = _as_of(model, viewing, titles, first_shown_at)
        title_ids = dict.fromkeys([*online.title_ids, *rows["title_id"]])
        number_of = {title_id: number for number, title_id in enumerate(title_ids)}
        places = _exploring_places(rows, pages, number_of)
        return ShadowScore(estimate=estimate(places, _wanted(online, viewing, pages, rows, number_of), seed=seed))
    except (ViewingInsufficient, SupportTooThin) as reason:
        return ShadowScore(refused=str(reason))


def _as_of(model: TopNModel, viewing: pl.DataFrame, titles: pl.DataFrame, moment: dt.datetime) -> OnlineRecommender:
    """The recipe trained on what had been watched by then."""
    facts = read_title_facts(titles)
    past = read_interactions(viewing.filter(pl.col("started_at") < moment), title_ids=facts.title_ids)
    return OnlineRecommender(*assemble(fit_top_n(past, model.facts.recipe, model.trees), past, facts, model_version=""))


def _exploring_places(rows: pl.DataFrame, pages: pl.DataFrame, number_of: dict[str, int]) -> ShownPlaces:
    exploring = rows.filter(pl.col("propensity") < 1)
    viewer_ids = pages["viewer_id"].unique().sort()
    return ShownPlaces(
        pages=exploring["page"].to_numpy(),
        titles=np.array([number_of[title_id] for title_id in exploring["title_id"]], np.int64),
        positions=exploring["position"].to_numpy(),
        propensities=exploring["propensity"].to_numpy(),
        explored=exploring["is_explored"].to_numpy(),
        played=exploring["is_played"].to_numpy(),
        viewers=viewer_ids.search_sorted(pages["viewer_id"]).to_numpy(),
    )


def _wanted(
    online: OnlineRecommender,
    viewing: pl.DataFrame,
    pages: pl.DataFrame,
    rows: pl.DataFrame,
    number_of: dict[str, int],
) -> NDArray[np.int64]:
    """[P, K] what the model would put into the exploring places of each page, -1 where it knows nothing."""
    exploring = rows["propensity"] < 1
    lengths = dict(rows.filter(exploring).group_by("page").len().iter_rows())
    kept = dict(rows.filter(~exploring).group_by("page").agg("title_id").iter_rows())
    watches = _watches_since(viewing, pages["shown_at"][0])
    wanted = np.full((pages.height, max(lengths.values(), default=0)), -1, np.int64)
    asked = pages.select("viewer_id", "region_id", "shown_at").iter_rows()
    for page, (viewer_id, region_id, shown_at) in enumerate(asked):
        answer = online.recommend(
            viewer_id=viewer_id,
            recent=[watch for watch in watches.get(viewer_id, ()) if watch.watched_at < shown_at],
            exclude=kept.get(page, ()),
            region_id=region_id,
            k=lengths.get(page, 0),
        )
        wanted[page, : len(answer.titles)] = [number_of[title.title_id] for title in answer.titles]
    return wanted


def _watches_since(viewing: pl.DataFrame, moment: dt.datetime) -> dict[str, list[RecentWatch]]:
    watches: dict[str, list[RecentWatch]] = {}
    since = viewing.filter(pl.col("started_at") >= moment).select("viewer_id", "title_id", "completion", "started_at")
    for viewer_id, title_id, completion, started_at in since.drop_nulls().iter_rows():
        watch = RecentWatch(title_id=title_id, completion=completion, watched_at=started_at)
        watches.setdefault(viewer_id, []).append(watch)
    return watches


def _in_utc(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """The lake's timestamps are UTC without a zone; those of others may have one."""
    moments = frame[column].cast(pl.Datetime("us", "UTC"))
    return frame.with_columns(moments.alias(column))
