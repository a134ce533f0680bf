"""Putting a trained model beside today's viewing: histories, trends, new titles, what can be played.

The model holds what was learnt about titles; everything about viewers comes from the viewing frame of the day, so that
a champion of last week still knows what was watched yesterday.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.recommender.candidate_features import TITLE_FEATURES
from ml.recommender.features import NO_VIEWER_FACTS, Interactions, TitleFacts, ViewerFacts
from ml.recommender.model_files import FORMAT_VERSION, OnlineArrays, OnlineIndex, no_unanswered, title_number_type
from ml.recommender.popularity import measure_group_trend, measure_popularity
from ml.recommender.top_n import TopNModel

NEW_FOR_DAYS = 90
FEW_EVENTS = 5
"""A title released within ``NEW_FOR_DAYS`` that fewer viewers than this have watched is too new for neighbours."""

LIKED_PRIOR_EVENTS = 10.0
"""A title's mean affinity is drawn to the mean of all as if so many viewers had liked it as much as the average."""
NEVER_DAYS = 3650.0
"""Stands for a title that nobody has watched."""

_DAY_S = 86_400.0
_SMALL = 1e-12


def assemble(
    model: TopNModel,
    interactions: Interactions,
    facts: TitleFacts,
    *,
    model_version: str,
    viewer_facts: ViewerFacts = NO_VIEWER_FACTS,
) -> tuple[OnlineIndex, OnlineArrays]:
    """The complete serving model but for what ``publication`` adds: batch lists, affinities, what was shown.

    Titles that the model does not know are numbered after those that it knows; they have no neighbours and can be
    recommended by trend or as new titles only.
    """
    title_ids = _joined_title_ids(model.title_ids, interactions.title_ids, facts.title_ids)
    facts = facts.aligned_to(title_ids)
    number_of = {title_id: number for number, title_id in enumerate(title_ids)}
    renumbered = np.array([number_of[title_id] for title_id in interactions.title_ids], np.int64)
    popularity = measure_popularity(interactions)
    trend = np.full((len(popularity.region_ids), len(title_ids)), popularity.trend().min(initial=0.0), np.float16)
    trend[:, renumbered] = popularity.trend()
    memberships, group_count = viewer_facts.of(interactions.viewer_ids), len(viewer_facts.groups)
    group_trend = np.zeros((group_count, len(title_ids)), np.float16)
    group_trend[:, renumbered] = measure_group_trend(interactions, memberships, group_count)
    number_type = title_number_type(len(title_ids))
    trees = model.trees
    starts = interactions.starts
    newest_first = (starts[:-1] + starts[1:] - 1)[interactions.viewers] - np.arange(len(interactions))
    viewer_count = len(interactions.viewer_ids)
    index = OnlineIndex(
        format_version=FORMAT_VERSION,
        model_version=model_version,
        trained_through=interactions.latest_at,
        title_ids=title_ids,
        region_ids=popularity.region_ids,
        blend=model.facts.recipe.blend,
        groups=list(viewer_facts.groups),
    )
    arrays = OnlineArrays(
        viewer_ids=_ascii(interactions.viewer_ids),
        viewer_regions=_last_regions(interactions),
        history_starts=starts,
        history_titles=renumbered[interactions.titles[newest_first]].astype(number_type),
        history_weights=interactions.weights[newest_first].astype(np.float16),
        ease_titles=_extended(model.ease_titles, len(title_ids), number_type),
        ease_weights=_extended(model.ease_weights, len(title_ids), np.float32),
        rule_titles=_extended(model.rule_titles, len(title_ids), number_type),
        rule_weights=_extended(model.rule_weights, len(title_ids), np.float32),
        trend=trend,
        group_trend=group_trend,
        known_viewer_ids=_ascii(viewer_facts.viewer_ids),
        known_viewer_groups=viewer_facts.memberships,
        recommendable=facts.recommendable,
        new_titles=_new_titles(interactions, facts, renumbered).astype(number_type),
        genres=facts.genres,
        title_features=_title_features(interactions, facts, renumbered),
        viewer_idle_days=_idle_days(interactions),
        tree_features=trees.features,
        tree_thresholds=trees.thresholds,
        tree_values=trees.values,
        top_titles=np.empty((viewer_count, 0), number_type),
        top_scores=np.empty((viewer_count, 0), np.float16),
        top_reasons=np.empty((viewer_count, 0), np.uint8),
        top_because=np.empty((viewer_count, 0), number_type),
        viewer_factors=np.full((viewer_count, 1), np.nan, np.float32),
        viewer_biases=np.full(viewer_count, np.nan, np.float32),
        title_factors=np.full((len(title_ids), 1), np.nan, np.float32),
        title_biases=np.full(len(title_ids), np.nan, np.float32),
        **no_unanswered(viewer_count),
    )
    return index, arrays


def _title_features(
    interactions: Interactions, facts: TitleFacts, renumbered: NDArray[np.int64]
) -> NDArray[np.float32]:
    """[T, S] the columns of ``TITLE_FEATURES``; bounces do not count as an audience, but say how a title was liked."""
    title_count = len(facts.title_ids)
    titles = renumbered[interactions.titles]
    latest = interactions.watched_at.max()
    age_days = (latest - interactions.watched_at) / _DAY_S
    positive = (interactions.weights > 0).astype(np.float64)

    def per_title(weights: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.bincount(titles, weights=weights, minlength=title_count).astype(np.float64)

    def log_share(half_life_days: float) -> NDArray[np.float64]:
        decayed = per_title(positive * np.exp2(-age_days / half_life_days))
        return np.log(decayed / max(decayed.sum(), _SMALL) + 0.1 / title_count)

    mean = float(interactions.affinities.mean())
    liked = (per_title(interactions.affinities - mean)) / (per_title(np.ones(len(titles))) + LIKED_PRIOR_EVENTS)
    idle_days = np.full(title_count, np.inf)
    np.minimum.at(idle_days, titles, age_days)
    day, week, month = (log_share(half_life_days) for half_life_days in (1.0, 7.0, 30.0))
    age_days_of_title = latest / _DAY_S - facts.release_days
    known_age = np.isfinite(age_days_of_title)
    typical_age = float(np.median(age_days_of_title[known_age])) if known_age.any() else 0.0
    columns = {
        "log_viewers": np.log1p(per_title(positive)),
        "log_share_day": day,
        "log_share_week": week,
        "log_share_month": month,
        "growth": week - month,
        "mean_affinity": liked,
        "idle_days": np.minimum(idle_days, NEVER_DAYS),
        "age_days": np.where(known_age, age_days_of_title, typical_age),
    }
    return np.stack([columns[name] for name in TITLE_FEATURES], axis=1).astype(np.float32)


def _idle_days(interactions: Interactions) -> NDArray[np.float32]:
    last_at = interactions.watched_at[interactions.starts[1:] - 1]
    return ((interactions.watched_at.max() - last_at) / _DAY_S).astype(np.float32)


def _ascii(names: Sequence[str]) -> NDArray[np.bytes_]:
    return np.array([name.encode("ascii") for name in names], dtype=np.bytes_)


def _joined_title_ids(known: Sequence[str], *more: Sequence[str]) -> list[str]:
    joined = dict.fromkeys(known)
    for title_ids in more:
        joined.update(dict.fromkeys(title_ids))
    return list(joined)


def _extended(rows: np.ndarray, title_count: int, dtype: type) -> np.ndarray:
    """The rows in another type and with rows for titles without neighbours added."""
    fill = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 0
    extended: np.ndarray = np.full((title_count, rows.shape[1]), fill, dtype)
    extended[: len(rows)] = rows
    if np.issubdtype(dtype, np.integer) and rows.dtype != dtype:
        extended[: len(rows)][rows == np.iinfo(rows.dtype).max] = fill
    return extended


def _last_regions(interactions: Interactions) -> NDArray[np.int16]:
    """Per viewer the row of the trend: regions are numbered after the row of all regions."""
    return (interactions.regions[interactions.starts[1:] - 1] + 1).astype(np.int16)


def _new_titles(interactions: Interactions, facts: TitleFacts, renumbered: NDArray[np.int64]) -> NDArray[np.int64]:
    """Titles that can be played, came out lately and hardly anybody has watched; the newest first."""
    events = np.zeros(len(facts.title_ids), np.int64)
    np.add.at(events, renumbered[interactions.titles], 1)
    age_days = float(interactions.watched_at.max()) / _DAY_S - facts.release_days
    new = facts.recommendable & (events < FEW_EVENTS) & (age_days <= NEW_FOR_DAYS)
    found = np.flatnonzero(new)
    return found[np.argsort(age_days[found], kind="stable")]
