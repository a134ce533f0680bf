"""What the ranker knows about a candidate: one row of numbers per candidate of one viewer. Numpy only.

A row never depends on which other titles are candidates: excluding a title changes the score of no other. The same rows
are learnt from by ``ranker`` and scored at request time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.recommender.model_files import OnlineArrays

LATEST_EVENTS = 5
"""So many of the newest events get a feature of their own."""

TITLE_FEATURES = (
    "log_viewers",
    "log_share_day",
    "log_share_week",
    "log_share_month",
    "growth",
    "mean_affinity",
    "idle_days",
    "age_days",
)
"""Columns of ``OnlineArrays.title_features``: size, recency and rise of a title's audience, and how it was liked."""

LATEST_FOR_MEANS = 10
"""What the newest events have in common is taken over so many."""

_LOG_VIEWERS = TITLE_FEATURES.index("log_viewers")
_AGE_DAYS = TITLE_FEATURES.index("age_days")
_TASTE_HALF_LIVES = (5.0, 20.0, 80.0, 1000.0)
_STEP_HALF_LIVES = (1.0, 3.0, 10.0)

FEATURES = (
    "first_stage",
    "ease",
    "rules",
    "trend",
    *(f"ease_{place + 1}" for place in range(LATEST_EVENTS)),
    "ease_best",
    *(f"taste_{half_life:g}" for half_life in _TASTE_HALF_LIVES),
    *(f"step_{place + 1}" for place in range(LATEST_EVENTS)),
    "step_best",
    *(f"steps_{half_life:g}" for half_life in _STEP_HALF_LIVES),
    "steps_count",
    *TITLE_FEATURES,
    "popularity_gap",
    "age_gap",
    "genre_taste",
    "genre_latest",
    "history_length",
    "viewer_idle_days",
    "viewer_popularity",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class CandidateScores:
    """What the first stage says about C candidates of a history of h events, newest first.

    Attributes:
        total, ease, rules, trend: [C] the score and its parts.
        ease_by_event, rules_by_event: [h, C] the plain weights from each event to each candidate.
    """

    total: NDArray[np.floating]
    ease: NDArray[np.floating]
    rules: NDArray[np.floating]
    trend: NDArray[np.floating]
    ease_by_event: NDArray[np.float32]
    rules_by_event: NDArray[np.float32]


def candidate_features(
    arrays: OnlineArrays,
    candidates: NDArray[np.integer],
    scores: CandidateScores,
    *,
    history_titles: NDArray[np.integer],
    history_weights: NDArray[np.floating],
    idle_days: float,
) -> NDArray[np.float32]:
    """[C, F] a row of ``FEATURES`` per candidate.

    Args:
        arrays: The model.
        candidates: [C] numbers of titles.
        scores: Of the same candidates.
        history_titles: [h] the steering history, newest first.
        history_weights: [h] how much each of it steers.
        idle_days: Since the viewer watched last.
    """
    latest = history_titles[:LATEST_FOR_MEANS]
    titles = arrays.title_features[candidates].astype(np.float32).T
    of_latest = arrays.title_features[latest].astype(np.float32).T
    genres = arrays.genres[candidates].astype(np.float32)
    of_history = arrays.genres[history_titles].astype(np.float32)
    latest_popularity = of_latest[_LOG_VIEWERS].mean()
    everywhere = np.ones(len(candidates), np.float32)
    return np.vstack(
        [
            scores.total,
            scores.ease,
            scores.rules,
            scores.trend,
            _by_event(scores.ease_by_event),
            _decayed(scores.ease_by_event, history_weights, _TASTE_HALF_LIVES),
            _by_event(scores.rules_by_event),
            _decayed(scores.rules_by_event, np.ones(len(scores.rules_by_event)), _STEP_HALF_LIVES),
            (scores.rules_by_event > 0).sum(axis=0),
            titles,
            titles[_LOG_VIEWERS] - latest_popularity,
            np.abs(titles[_AGE_DAYS] - of_latest[_AGE_DAYS, :, None]).mean(axis=0),
            genres @ (history_weights @ of_history) / len(history_titles),
            genres @ of_history[:LATEST_EVENTS].mean(axis=0),
            len(history_titles) * everywhere,
            idle_days * everywhere,
            latest_popularity * everywhere,
        ]
    ).T.astype(np.float32)


def _by_event(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weight from each of the newest events, and the largest of all events."""
    rows = np.zeros((LATEST_EVENTS + 1, weights.shape[1]), np.float32)
    rows[: min(len(weights), LATEST_EVENTS)] = weights[:LATEST_EVENTS]
    rows[-1] = weights.max(axis=0)
    return rows


def _decayed(
    weights: NDArray[np.float32], event_weights: NDArray[np.floating], half_lives: tuple[float, ...]
) -> NDArray[np.floating]:
    age = np.arange(len(weights), dtype=np.float32)
    decay = np.exp2(-age / np.array(half_lives, np.float32)[:, None])
    decayed: NDArray[np.floating] = (decay * event_weights) @ weights
    return decayed
