"""Publishing: the folder that the serving plane opens, with a list for every viewer and the affinities beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.recommender.affinity import AffinityModel
from ml.recommender.assembly import assemble
from ml.recommender.features import NO_VIEWER_FACTS, Interactions, TitleFacts, ViewerFacts
from ml.recommender.fold_in import rank_for_viewer, sign_up_of, trained_history
from ml.recommender.model_files import OnlineArrays, OnlineIndex, write_model_files
from ml.recommender.online import LIST_LENGTH
from ml.recommender.top_n import TopNModel


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What was published.

    Attributes:
        viewers: Viewers with a list.
        viewers_without_list: Viewers whose watching steers nothing, such as bounces only; they get the fallback.
        coverage_at_10: Share of recommendable titles in at least one viewer's first ten.
        affinity_viewers: Viewers that the affinity model knows.
        known_viewers: Viewers whose age band or picked genres are known, and steer while their watching does not.
        unanswered: Pairs of viewer and title that go down, since they were shown often and not taken.
    """

    model_version: str
    viewers: int
    viewers_without_list: int
    titles: int
    recommendable_titles: int
    new_titles: int
    coverage_at_10: float
    affinity_viewers: int
    known_viewers: int
    unanswered: int
    size_bytes: int


def publish(
    folder: Path,
    model: TopNModel,
    affinity: AffinityModel | None,
    interactions: Interactions,
    facts: TitleFacts,
    *,
    model_version: str,
    viewer_facts: ViewerFacts = NO_VIEWER_FACTS,
    unanswered: pl.DataFrame | None = None,
) -> Publication:
    """Write the serving folder for ``OnlineRecommender.load``.

    Args:
        folder: New or empty.
        model: The ranking champion.
        affinity: The affinity champion; None publishes without match percentages.
        interactions: All viewing up to now, which may be newer than the models.
        facts: The catalogue of now.
        model_version: What logs and impressions will name.
        viewer_facts: Whose age and picked genres are known, whether they have watched anything or not.
        unanswered: ``serving.srv_unanswered``: viewer_id, title_id, days_shown; None where nothing was shown yet.
    """
    index, arrays = assemble(model, interactions, facts, model_version=model_version, viewer_facts=viewer_facts)
    if affinity is not None:
        index, arrays = _with_affinities(index, arrays, affinity)
    if unanswered is not None:
        arrays = _with_unanswered(index, arrays, unanswered)
    arrays = _with_lists(arrays, index)
    size_bytes = write_model_files(folder, index, arrays)
    first_ten = arrays.top_titles[:, :10]
    shown = np.unique(first_ten[first_ten != arrays.no_title])
    recommendable = int(arrays.recommendable.sum())
    has_list = (
        (arrays.top_titles[:, 0] != arrays.no_title) if arrays.top_titles.shape[1] else np.zeros(len(arrays.top_titles))
    )
    return Publication(
        model_version=model_version,
        viewers=int(has_list.sum()),
        viewers_without_list=int(len(has_list) - has_list.sum()),
        titles=len(index.title_ids),
        recommendable_titles=recommendable,
        new_titles=len(arrays.new_titles),
        coverage_at_10=len(shown) / max(recommendable, 1),
        affinity_viewers=int(np.isfinite(arrays.viewer_biases).sum()),
        known_viewers=len(arrays.known_viewer_ids),
        unanswered=len(arrays.unanswered_titles),
        size_bytes=size_bytes,
    )


def _with_lists(arrays: OnlineArrays, index: OnlineIndex) -> OnlineArrays:
    """Rank for every viewer with the code that ranks at request time."""
    viewer_count = len(arrays.viewer_ids)
    shape = (viewer_count, min(LIST_LENGTH, len(arrays.recommendable)))
    number_type = arrays.ease_titles.dtype
    titles = np.full(shape, arrays.no_title, number_type)
    because = np.full(shape, arrays.no_title, number_type)
    scores = np.zeros(shape, np.float16)
    reasons = np.zeros(shape, np.uint8)
    memberships = _memberships(arrays).tolist()
    for viewer in range(viewer_count):
        history = trained_history(arrays, viewer)
        if not history.steers:
            continue
        region, groups = int(arrays.viewer_regions[viewer]), memberships[viewer]
        ranked = rank_for_viewer(
            arrays,
            index.blend,
            history,
            viewer=viewer,
            region=region,
            idle_days=float(arrays.viewer_idle_days[viewer]),
            excluded=history.titles,
            k=shape[1],
            sign_up=sign_up_of(arrays, index.groups, groups, region=region) if groups else None,
        )
        length = len(ranked.titles)
        titles[viewer, :length], scores[viewer, :length] = ranked.titles, ranked.scores
        reasons[viewer, :length], because[viewer, :length] = ranked.reasons, ranked.because
    return replace(arrays, top_titles=titles, top_scores=scores, top_reasons=reasons, top_because=because)


def _memberships(arrays: OnlineArrays) -> NDArray[np.uint64]:
    """[V] the groups of every viewer with a history; none where nothing is known."""
    known_ids = arrays.known_viewer_ids
    memberships = np.zeros(len(arrays.viewer_ids), np.uint64)
    if len(known_ids):
        place = np.minimum(np.searchsorted(known_ids, arrays.viewer_ids), len(known_ids) - 1)
        known = known_ids[place] == arrays.viewer_ids
        memberships[known] = arrays.known_viewer_groups[place[known]]
    return memberships


def _with_affinities(
    index: OnlineIndex, arrays: OnlineArrays, affinity: AffinityModel
) -> tuple[OnlineIndex, OnlineArrays]:
    """Put the affinity model's rows into the order of the ranking model's viewers and titles; NaN where unknown."""
    viewer_ids = [viewer_id.decode("ascii") for viewer_id in arrays.viewer_ids.tolist()]
    return (
        msgspec.structs.replace(index, affinity_mean=affinity.facts.mean),
        replace(
            arrays,
            viewer_factors=_reordered(affinity.viewer_factors, list(affinity.viewer_ids), viewer_ids),
            viewer_biases=_reordered(affinity.viewer_biases, list(affinity.viewer_ids), viewer_ids),
            title_factors=_reordered(affinity.title_factors, list(affinity.title_ids), index.title_ids),
            title_biases=_reordered(affinity.title_biases, list(affinity.title_ids), index.title_ids),
        ),
    )


def _with_unanswered(index: OnlineIndex, arrays: OnlineArrays, unanswered: pl.DataFrame) -> OnlineArrays:
    """What was shown and not taken, in the order of viewers and titles; pairs of others are left out."""
    viewers = pl.DataFrame({"viewer_id": [viewer_id.decode("ascii") for viewer_id in arrays.viewer_ids.tolist()]})
    titles = pl.DataFrame({"title_id": index.title_ids})
    known = (
        unanswered.join(viewers.with_row_index("viewer"), on="viewer_id")
        .join(titles.with_row_index("title"), on="title_id")
        .sort("viewer", "title")
    )
    counts = np.bincount(known["viewer"].to_numpy(), minlength=viewers.height)
    return replace(
        arrays,
        unanswered_starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        unanswered_titles=known["title"].to_numpy().astype(arrays.ease_titles.dtype),
        unanswered_days=known["days_shown"].clip(0, np.iinfo(np.uint8).max).to_numpy().astype(np.uint8),
    )


def _reordered(rows: NDArray[np.float32], names: list[str], wanted: list[str]) -> NDArray[np.float32]:
    row_of = {name: row for row, name in enumerate(names)}
    sources = np.array([row_of.get(name, -1) for name in wanted], np.intp)
    reordered = np.full((len(wanted), *rows.shape[1:]), np.nan, np.float32)
    reordered[sources >= 0] = rows[sources[sources >= 0]]
    return reordered
