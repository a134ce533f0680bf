"""The ranking model: recency-decayed EASE blended with sequential rules.

Item-item weights: EASE, H. Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW '19), equation 8.
Sequential rules: what follows a title within a few events, after Ludewig and Jannach 2018, "Evaluation of session-based
recommendation algorithms", section 3.1. Of each title only the strongest neighbours are kept, so that the published
model grows with the catalogue and not with its square.

Training needs one dense [T, T] matrix of float32: 55 MB at 3,700 titles, 1.6 GB at 20,000.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from ml.recommender.drift import ViewingProfile
from ml.recommender.errors import ModelFolderError
from ml.recommender.features import Interactions
from ml.recommender.model_files import Blend, title_number_type
from ml.recommender.ranker import RankerRecipe
from ml.recommender.trees import Trees, no_trees

WEIGHTS_FILE = "weights.npz"
FACTS_FILE = "top_n.json"

_ROWS_AT_ONCE = 1000


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that training depends on beside the data.

    Attributes:
        ridge: EASE's regularisation, in multiples of the mean number of viewers per title.
        neighbours: Strongest neighbours kept per title, in each of the two matrices.
        rule_window: How many events later a title still counts as following.
        rule_decay: What each further step counts relative to the one before.
        blend: How the parts are weighed at scoring time.
        ranker: How trees are grown over the shortlist.
    """

    ridge: float = 2.0
    neighbours: int = 200
    rule_window: int = 10
    rule_decay: float = 0.8
    blend: Blend = Blend()
    ranker: RankerRecipe = RankerRecipe()


class TopNFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a model beside its arrays.

    Attributes:
        recipe: How it was trained.
        trained_through: Time of the latest event that it saw.
        profile: How the viewing that it saw is spread, see ``drift``; empty where nobody will ask.
    """

    recipe: Recipe
    trained_through: dt.datetime
    profile: ViewingProfile = {}


@dataclass(frozen=True, kw_only=True, eq=False)
class TopNModel:
    """What training learns about titles; it holds nothing about any viewer.

    Attributes:
        title_ids: [T] the titles behind the rows.
        ease_titles, ease_weights, rule_titles, rule_weights: [T, N] see ``model_files.OnlineArrays``.
    """

    facts: TopNFacts
    title_ids: Sequence[str]
    ease_titles: NDArray[np.unsignedinteger]
    ease_weights: NDArray[np.float32]
    rule_titles: NDArray[np.unsignedinteger]
    rule_weights: NDArray[np.float32]
    trees: Trees = field(default_factory=no_trees)


def fit_top_n(interactions: Interactions, recipe: Recipe, trees: Trees | None = None) -> TopNModel:
    """Learn the item-item weights and the rules. Deterministic: there is nothing random in it.

    Args:
        interactions: What was watched.
        recipe: How to.
        trees: The ranker over it, see ``tune``; without them the first stage ranks.
    """
    matrix = _viewer_title_matrix(interactions)
    ease_titles, ease_weights = _strongest_of_dense(_ease_weights(matrix, recipe.ridge), recipe.neighbours)
    rules = _sequential_rules(interactions, recipe)
    rule_titles, rule_weights = _strongest_of_sparse(rules, recipe.neighbours)
    return TopNModel(
        facts=TopNFacts(recipe=recipe, trained_through=interactions.latest_at),
        title_ids=interactions.title_ids,
        ease_titles=ease_titles,
        ease_weights=ease_weights,
        rule_titles=rule_titles,
        rule_weights=rule_weights,
        trees=trees or no_trees(),
    )


def save_top_n(model: TopNModel, folder: Path) -> None:
    """Write the model's files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / WEIGHTS_FILE,
        title_ids=np.array(model.title_ids, dtype=np.str_),
        ease_titles=model.ease_titles,
        ease_weights=model.ease_weights,
        rule_titles=model.rule_titles,
        rule_weights=model.rule_weights,
        tree_features=model.trees.features,
        tree_thresholds=model.trees.thresholds,
        tree_values=model.trees.values,
    )
    (folder / FACTS_FILE).write_bytes(msgspec.json.encode(model.facts))


def load_top_n(folder: Path) -> TopNModel:
    """Read what ``save_top_n`` wrote.

    Raises:
        ModelFolderError: A file is missing or cannot be read.
    """
    try:
        facts = msgspec.json.decode((folder / FACTS_FILE).read_bytes(), type=TopNFacts)
        with np.load(folder / WEIGHTS_FILE, allow_pickle=False) as stored:
            return TopNModel(
                facts=facts,
                title_ids=stored["title_ids"].tolist(),
                ease_titles=stored["ease_titles"],
                ease_weights=stored["ease_weights"],
                rule_titles=stored["rule_titles"],
                rule_weights=stored["rule_weights"],
                trees=_stored_trees(stored),
            )
    except (OSError, KeyError, ValueError, msgspec.MsgspecError) as error:
        raise ModelFolderError(f"{folder} holds no top-N model that can be read ({error}); train again") from error


def _stored_trees(stored: Mapping[str, np.ndarray]) -> Trees:
    """The ranker; models saved before there was one have none."""
    if "tree_features" not in stored:
        return no_trees()
    return Trees(features=stored["tree_features"], thresholds=stored["tree_thresholds"], values=stored["tree_values"])


def _viewer_title_matrix(interactions: Interactions) -> sp.csr_matrix:
    positive = interactions.weights > 0
    return sp.csr_matrix(
        (np.ones(int(positive.sum()), np.float32), (interactions.viewers[positive], interactions.titles[positive])),
        shape=(len(interactions.viewer_ids), len(interactions.title_ids)),
    )


def _ease_weights(matrix: sp.csr_matrix, ridge: float) -> NDArray[np.float32]:
    """B = I - P / diag(P) with P = (X'X + ridge I)^-1, by Cholesky: [history title, scored title].

    All of it happens in one dense matrix, which is the most that training holds.
    """
    gram = _gram(matrix)
    diagonal = np.diag_indices_from(gram)
    gram[diagonal] += max(ridge * float(gram[diagonal].mean()), 1.0)
    # LAPACK wants columns together: a symmetric matrix need not be copied for that, it is its own transpose
    factor, failed = scipy.linalg.lapack.spotrf(gram.T, lower=True, overwrite_a=True)
    if not failed:
        inverse, failed = scipy.linalg.lapack.spotri(factor, lower=True, overwrite_c=True)
    if failed:  # the ridge makes the matrix positive definite; only overflow or NaN get here
        raise np.linalg.LinAlgError(f"the title matrix cannot be inverted (LAPACK says {failed})")
    weights: NDArray[np.float32] = inverse.T
    _mirror_upper_triangle(weights)
    weights /= -np.diag(weights)[None, :]
    np.fill_diagonal(weights, 0.0)
    return weights


def _gram(matrix: sp.csr_matrix) -> NDArray[np.float32]:
    """X'X as a dense matrix, some rows at a time: as a sparse one it would take more than as a dense one."""
    title_count = matrix.shape[1]
    gram = np.empty((title_count, title_count), np.float32)
    by_title = matrix.tocsc()
    for start in range(0, title_count, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        gram[rows] = (by_title[:, rows].T @ matrix).toarray()
    return gram


def _mirror_upper_triangle(matrix: NDArray[np.float32]) -> None:
    """Make a square matrix symmetric in place; what stands below the diagonal is not looked at."""
    for start in range(0, len(matrix), _ROWS_AT_ONCE):
        end = start + _ROWS_AT_ONCE
        block = np.triu(matrix[start:end, start:end])
        matrix[start:end, start:end] = block + np.triu(block, 1).T
        matrix[end:, start:end] = matrix[start:end, end:].T


def _sequential_rules(interactions: Interactions, recipe: Recipe) -> sp.csr_matrix:
    """Weight from a title to one watched up to ``rule_window`` events later, normalised by the popularity of both."""
    positive = interactions.subset(interactions.weights > 0)
    title_count = len(interactions.title_ids)
    rules = sp.csr_matrix((title_count, title_count), dtype=np.float32)
    for lag in range(1, recipe.rule_window + 1):
        same_viewer = positive.viewers[lag:] == positive.viewers[:-lag]
        earlier, later = positive.titles[:-lag][same_viewer], positive.titles[lag:][same_viewer]
        step = np.full(len(earlier), recipe.rule_decay ** (lag - 1), np.float32)
        rules = rules + sp.csr_matrix((step, (earlier, later)), shape=rules.shape)
    popularity = np.sqrt(np.maximum(np.bincount(positive.titles, minlength=title_count), 1.0))
    rules = rules.tocoo()
    shrunk = rules.data / (popularity[rules.row] * popularity[rules.col] + 20.0)
    return sp.csr_matrix((shrunk.astype(np.float32), (rules.row, rules.col)), shape=rules.shape)


def _strongest_of_dense(
    weights: NDArray[np.float32], neighbours: int
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.float32]]:
    """Per row the largest entries by size, whatever their sign, as numbers and values."""
    title_count = len(weights)
    width = min(neighbours, title_count)
    number_type = title_number_type(title_count)
    titles = np.empty((title_count, width), number_type)
    values = np.empty((title_count, width), np.float32)
    for row in range(title_count):
        kept = np.sort(np.argpartition(-np.abs(weights[row]), width - 1)[:width])
        titles[row], values[row] = kept, weights[row, kept]
    return titles, values


def _strongest_of_sparse(
    weights: sp.csr_matrix, neighbours: int
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.float32]]:
    """Per row the largest entries; rows with fewer are filled with "no title" and zero."""
    title_count = weights.shape[0]
    width = min(neighbours, title_count)
    number_type = title_number_type(title_count)
    titles = np.full((title_count, width), np.iinfo(number_type).max, number_type)
    values = np.zeros((title_count, width), np.float32)
    for row in range(title_count):
        start, end = weights.indptr[row], weights.indptr[row + 1]
        strongest = np.argsort(-weights.data[start:end], kind="stable")[:width]
        titles[row, : len(strongest)] = weights.indices[start:end][strongest]
        values[row, : len(strongest)] = weights.data[start:end][strongest]
    return titles, values
