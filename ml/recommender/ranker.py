"""The second stage: LightGBM LambdaRank over the first stage's shortlist, exported as plain trees.

LambdaRank: Burges 2010, "From RankNet to LambdaRank to LambdaMART: An Overview". It learns from viewing that the first
stage has not seen: what viewers watched after a point in time, with histories, trends and weights as of that point. So
it sees the same optimism in every feature that it will see when it serves. Trees are kept only if such trees rank
better than the first stage for viewers that they have not learnt from. LightGBM is imported by who trains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ml.recommender.fold_in import SHORTLIST, History, shorten
from ml.recommender.model_files import Blend, OnlineArrays
from ml.recommender.ranking_metrics import Interval, bootstrap_interval, gain_at
from ml.recommender.trees import Trees, no_trees

CURVE_STEP = 20
"""Trees between two points of the learning curve."""


class RankerRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """How the trees are grown, and from how many viewers on they are.

    Attributes:
        min_viewers: Fewer viewers with a watched title on their shortlist are left to the first stage.
        max_viewers: More are sampled.
    """

    min_viewers: int = 1500
    max_viewers: int = 6000
    rounds: int = 120
    learning_rate: float = 0.06
    leaves: int = 24
    max_depth: int = 6
    smallest_leaf: int = 40
    column_share: float = 0.6
    l2: float = 5.0
    truncation: int = 15


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranker:
    """What came of the training.

    Attributes:
        trees: Empty where the first stage ranks alone.
        viewers: With a watched title on their shortlist.
        gain: NDCG@10 over the first stage, each viewer ranked by trees that have not seen them; None without trees.
        reason: Why the trees are used, or not.
        learning_curve: The mean of that gain after every ``CURVE_STEP`` trees; None where none were grown.
    """

    trees: Trees
    viewers: int
    gain: Interval | None
    reason: str
    learning_curve: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Query:
    """One viewer's shortlist: [C, F] features, [C] the first stage's scores, and which of the titles was watched."""

    features: NDArray[np.float32]
    first_stage: NDArray[np.floating]
    watched: int


def learn_ranker(
    arrays: OnlineArrays, blend: Blend, watched: Mapping[int, int], recipe: RankerRecipe, *, seed: int
) -> Ranker:
    """Grow trees that put the title watched next above the rest of the shortlist.

    Args:
        arrays: The first stage and the histories, as of a point in time.
        blend: Of the first stage.
        watched: By row of a viewer the number of the title that they watched first after that point.
        recipe: How to.
        seed: Samples of viewers and of columns.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(sorted(watched))[: recipe.max_viewers].tolist()
    asked = [_query(arrays, blend, row, watched[row]) for row in rows]
    queries = [query for query in asked if query is not None]
    if len(queries) < recipe.min_viewers:
        return unranked(len(queries), recipe)
    gains = _gains_of_unseen(queries, recipe, seed)
    gain = bootstrap_interval(gains[:, -1], seed=seed)
    helps = gain.low > 0.0
    return Ranker(
        trees=_grow(queries, recipe, seed) if helps else no_trees(),
        viewers=len(queries),
        gain=gain,
        reason="better than the first stage" if helps else "no better than the first stage",
        learning_curve=gains.mean(axis=0),
    )


def unranked(viewers: int, recipe: RankerRecipe) -> Ranker:
    """No trees, because so few viewers could be learnt from."""
    reason = f"{viewers} viewers are too few to learn from: {recipe.min_viewers} with a shortlisted title are needed"
    return Ranker(trees=no_trees(), viewers=viewers, gain=None, reason=reason)


def _query(arrays: OnlineArrays, blend: Blend, viewer: int, title: int) -> _Query | None:
    """None when nothing can be learnt: the history steers nothing, or the title is not on the shortlist."""
    start, end = arrays.history_starts[viewer : viewer + 2]
    history = History(titles=arrays.history_titles[start:end], weights=arrays.history_weights[start:end])
    if not (history.weights > 0).any():
        return None
    allowed = arrays.recommendable.copy()
    allowed[history.titles] = False
    region = int(arrays.viewer_regions[viewer])
    shortlist = shorten(arrays, blend, history, region=region, allowed=allowed, k=SHORTLIST)
    place = np.flatnonzero(shortlist.titles == title)
    if not len(place):
        return None
    return _Query(
        features=shortlist.features(arrays, float(arrays.viewer_idle_days[viewer])),
        first_stage=shortlist.scores.total,
        watched=int(place[0]),
    )


def _gains_of_unseen(queries: Sequence[_Query], recipe: RankerRecipe, seed: int) -> NDArray[np.float64]:
    """[viewers, steps] what trees grown on one half of the viewers gain for the other half, and the other way round.

    Every viewer is counted, which a sample kept aside would not do: the gain is small beside its spread over viewers.
    """
    halves = queries[::2], queries[1::2]
    differences = []
    for learnt, asked in (halves, halves[::-1]):
        trees = _grow(learnt, recipe, seed)
        differences += [_gains_while_growing(trees, query) for query in asked]
    return np.array(differences)


def _gains_while_growing(trees: Trees, query: _Query) -> list[float]:
    """What the first ``CURVE_STEP`` trees gain over the first stage, then twice as many, up to all of them."""
    without = _gain(query.first_stage, query)
    scores = np.zeros(len(query.features), np.float32)
    gains = []
    for first in range(0, len(trees), CURVE_STEP):
        scores += trees.part(first, first + CURVE_STEP).scores(query.features)
        gains.append(_gain(scores, query) - without)
    return gains


def _gain(scores: NDArray[np.floating], query: _Query) -> float:
    """NDCG@10 of the watched title; of equal scores the first stage's order decides, as it does when a list is made."""
    own = scores[query.watched]
    ahead = (scores > own).sum() + (scores[: query.watched] == own).sum()
    return float(gain_at(int(ahead)))


def _grow(queries: Sequence[_Query], recipe: RankerRecipe, seed: int) -> Trees:
    import lightgbm as lgb  # seconds of CPU that only who trains should pay

    relevance = [np.arange(len(query.features)) == query.watched for query in queries]
    dataset = lgb.Dataset(
        np.concatenate([query.features for query in queries]),
        np.concatenate(relevance).astype(np.int8),
        group=[len(query.features) for query in queries],
    )
    parameters = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": recipe.truncation,
        "learning_rate": recipe.learning_rate,
        "num_leaves": recipe.leaves,
        "max_depth": recipe.max_depth,
        "min_data_in_leaf": recipe.smallest_leaf,
        "feature_fraction": recipe.column_share,
        "lambda_l2": recipe.l2,
        "max_bin": 127,
        "use_missing": False,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    booster = lgb.train(parameters, dataset, recipe.rounds)
    return export_trees(booster.dump_model()["tree_info"], recipe.max_depth)


def export_trees(tree_info: Sequence[Mapping[str, Any]], depth: int) -> Trees:
    """LightGBM's dumped trees as complete binary trees of one depth."""
    nodes = 2**depth - 1
    features = np.zeros((len(tree_info), nodes), np.uint8)
    thresholds = np.full((len(tree_info), nodes), np.inf, np.float32)
    values = np.zeros((len(tree_info), nodes + 1), np.float32)
    for number, tree in enumerate(tree_info):
        open_nodes = [(0, tree["tree_structure"])]
        while open_nodes:
            position, node = open_nodes.pop()
            if "leaf_value" in node:
                below = depth - (position + 1).bit_length() + 1
                first = (position + 1 << below) - 1 - nodes
                values[number, first : first + (1 << below)] = node["leaf_value"]
                continue
            features[number, position] = node["split_feature"]
            thresholds[number, position] = _rounded_down(node["threshold"])
            open_nodes += [(2 * position + 1, node["left_child"]), (2 * position + 2, node["right_child"])]
    return Trees(features=features, thresholds=thresholds, values=values)


def _rounded_down(threshold: float) -> np.float32:
    """The largest float32 that is not above: float32 values compare with it as with the threshold itself."""
    rounded = np.float32(threshold)
    return np.float32(np.nextafter(rounded, np.float32(-np.inf))) if float(rounded) > threshold else rounded
