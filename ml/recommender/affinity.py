"""The affinity model: how much a viewer will like a title, 1 to 5, by Surprise's matrix factorisation.

It gives the match percentage and is a feature for rankers. It is never the sort key of a list: ranked by predicted
affinity, obscure titles that a few people loved come first, and the list is worse than plain popularity (see README).

SVD and SVD++ are Koren 2008, "Factorization meets the neighborhood" (KDD '08), sections 2.3 and 3. Which of them, for
how long and how strongly regularised, is chosen by what predicts held-out events best. Where histories are short, what
was chosen at all says more than how it was liked, and SVD++ hears that. Surprise regularises by rating, so that a
viewer with five titles is hardly held back, and long training believes chance. Where histories are long, a longer and
strongly regularised SVD is better than SVD++ and cheaper. Serving needs four arrays and no Surprise; the implicit part
of SVD++ is added into the viewer's factors.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import surprise
from numpy.typing import NDArray

from ml.recommender.engagement import HIGHEST_AFFINITY, LOWEST_AFFINITY
from ml.recommender.errors import ModelFolderError
from ml.recommender.features import Interactions

HELD_OUT_SHARE = 0.1
MOST_EVENTS_TO_CHOOSE_ON = 300_000
"""Where there are more, recipes are compared on some of the viewers."""
MOST_SQUARED_HISTORIES = 5_000_000
"""The time of SVD++ grows with the sum of squared histories: up to this one, some 4 CPU seconds, it is compared too."""

_READ_AT_ONCE = 100_000

FACTORS_FILE = "factors.npz"
FACTS_FILE = "affinity.json"


class AffinityRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """How Surprise is asked to train; ``implicit`` takes SVD++, which also learns from what was chosen at all."""

    implicit: bool = False
    factors: int = 100
    epochs: int
    learning_rate: float
    regularisation: float


PLAIN_SVD = AffinityRecipe(epochs=20, learning_rate=0.005, regularisation=0.02)
"""Surprise's defaults."""
SVDPP = AffinityRecipe(implicit=True, factors=20, epochs=20, learning_rate=0.007, regularisation=0.02)
"""Surprise's defaults."""
RECIPES = (
    SVDPP,
    PLAIN_SVD,
    AffinityRecipe(epochs=40, learning_rate=0.007, regularisation=0.1),
    AffinityRecipe(epochs=40, learning_rate=0.007, regularisation=0.06),
)


class AffinityFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about an affinity model beside its arrays; of models saved before recipes were kept, no recipe."""

    recipe: AffinityRecipe | None = None
    mean: float


@dataclass(frozen=True, kw_only=True, eq=False)
class AffinityModel:
    """Predicted affinity = mean + viewer bias + title bias + viewer factors · title factors, clipped to 1..5.

    Attributes:
        viewer_ids: [V] viewers with at least one event, sorted.
        title_ids: [T] titles with at least one event, sorted.
        viewer_factors, title_factors: [V, F] and [T, F] float32.
        viewer_biases, title_biases: [V] and [T] float32.
    """

    facts: AffinityFacts
    viewer_ids: Sequence[str]
    title_ids: Sequence[str]
    viewer_factors: NDArray[np.float32]
    viewer_biases: NDArray[np.float32]
    title_factors: NDArray[np.float32]
    title_biases: NDArray[np.float32]

    def predict(self, viewers: Sequence[str], titles: Sequence[str]) -> NDArray[np.float32]:
        """Affinities of parallel viewers and titles; an unknown one contributes nothing, as in Surprise."""
        viewer_rows, known_viewers = _rows(viewers, self.viewer_ids)
        title_rows, known_titles = _rows(titles, self.title_ids)
        both = known_viewers & known_titles
        products = np.einsum("ij,ij->i", self.viewer_factors[viewer_rows], self.title_factors[title_rows])
        predicted = (
            self.facts.mean
            + np.where(known_viewers, self.viewer_biases[viewer_rows], 0.0)
            + np.where(known_titles, self.title_biases[title_rows], 0.0)
            + np.where(both, products, 0.0)
        )
        return np.clip(predicted, LOWEST_AFFINITY, HIGHEST_AFFINITY).astype(np.float32)


def fit_affinity(interactions: Interactions, recipe: AffinityRecipe = PLAIN_SVD, *, seed: int) -> AffinityModel:
    """Learn from every interaction, bounces included: that somebody left says something about liking.

    Args:
        interactions: What was watched.
        recipe: How to.
        seed: Initial factors are drawn with it.
    """
    viewers, viewer_rows = np.unique(interactions.viewers, return_inverse=True)
    titles, title_rows = np.unique(interactions.titles, return_inverse=True)
    ratings = _Ratings(
        viewer_rows.astype(np.int32), title_rows.astype(np.int32), interactions.affinities, by_viewer=recipe.implicit
    )
    settings = {
        "n_factors": recipe.factors,
        "n_epochs": recipe.epochs,
        "lr_all": recipe.learning_rate,
        "reg_all": recipe.regularisation,
        "random_state": seed,
    }
    if recipe.implicit:
        fitted = surprise.SVDpp(**settings, cache_ratings=True).fit(ratings)
        viewer_factors = fitted.pu + _implicit_factors(fitted, ratings)
    else:
        fitted = surprise.SVD(**settings).fit(ratings)
        viewer_factors = fitted.pu
    return AffinityModel(
        facts=AffinityFacts(recipe=recipe, mean=ratings.global_mean),
        viewer_ids=[interactions.viewer_ids[viewer] for viewer in viewers.tolist()],
        title_ids=[interactions.title_ids[title] for title in titles.tolist()],
        viewer_factors=viewer_factors.astype(np.float32),
        viewer_biases=fitted.bu.astype(np.float32),
        title_factors=fitted.qi.astype(np.float32),
        title_biases=fitted.bi.astype(np.float32),
    )


def choose_affinity_recipe(interactions: Interactions, *, seed: int) -> AffinityRecipe:
    """The recipe with the least error on a tenth of the events, held out of a trial of each."""
    rng = np.random.default_rng(seed)
    share = min(1.0, MOST_EVENTS_TO_CHOOSE_ON / max(len(interactions), 1))
    chosen_viewers = rng.random(len(interactions.viewer_ids)) < share
    compared = interactions.subset(chosen_viewers[interactions.viewers])
    tested = rng.random(len(compared)) < HELD_OUT_SHARE
    known, test = compared.subset(~tested), compared.subset(tested)
    if not len(known) or not len(test):
        return PLAIN_SVD
    short = int((np.diff(interactions.starts) ** 2).sum()) <= MOST_SQUARED_HISTORIES
    recipes = [recipe for recipe in RECIPES if short or not recipe.implicit]
    return min(recipes, key=lambda recipe: rmse_of(predict_events(fit_affinity(known, recipe, seed=seed), test), test))


def predict_events(model: AffinityModel, test: Interactions) -> NDArray[np.float32]:
    """[E] the affinity of every event, by a model that has not seen it."""
    return model.predict(
        [test.viewer_ids[viewer] for viewer in test.viewers], [test.title_ids[title] for title in test.titles]
    )


def rmse_of(predicted: NDArray[np.floating], test: Interactions) -> float:
    """Root mean squared error in points of affinity."""
    return float(np.sqrt(np.mean(np.square((predicted - test.affinities).astype(np.float64)))))


def save_affinity(model: AffinityModel, folder: Path) -> None:
    """Write the model's files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / FACTORS_FILE,
        viewer_ids=np.array(model.viewer_ids, dtype=np.str_),
        title_ids=np.array(model.title_ids, dtype=np.str_),
        viewer_factors=model.viewer_factors,
        viewer_biases=model.viewer_biases,
        title_factors=model.title_factors,
        title_biases=model.title_biases,
    )
    (folder / FACTS_FILE).write_bytes(msgspec.json.encode(model.facts))


def load_affinity(folder: Path) -> AffinityModel:
    """Read what ``save_affinity`` wrote.

    Raises:
        ModelFolderError: A file is missing or cannot be read.
    """
    try:
        facts = msgspec.json.decode((folder / FACTS_FILE).read_bytes(), type=AffinityFacts)
        with np.load(folder / FACTORS_FILE, allow_pickle=False) as stored:
            return AffinityModel(
                facts=facts,
                viewer_ids=stored["viewer_ids"].tolist(),
                title_ids=stored["title_ids"].tolist(),
                viewer_factors=stored["viewer_factors"],
                viewer_biases=stored["viewer_biases"],
                title_factors=stored["title_factors"],
                title_biases=stored["title_biases"],
            )
    except (OSError, KeyError, ValueError, msgspec.MsgspecError) as error:
        raise ModelFolderError(f"{folder} holds no affinity model that can be read ({error}); train again") from error


class _Ratings(surprise.Trainset):
    """Surprise's form of the data over arrays, for as much of it as its matrix factorisations ask for.

    Surprise keeps each rating as two tuples, some 200 bytes; here it takes 12, and a tuple lives while it is read.

    Args:
        viewers, titles: [E] rows that start at 0.
        affinities: [E] the ratings.
        by_viewer: Whether SVD++ will ask for whole histories, which are tuples then.
    """

    def __init__(
        self,
        viewers: NDArray[np.int32],
        titles: NDArray[np.int32],
        affinities: NDArray[np.float32],
        *,
        by_viewer: bool,
    ) -> None:
        self._columns = (viewers, titles, affinities)
        super().__init__(
            ur={},
            ir={},
            n_users=int(viewers.max(initial=-1)) + 1,
            n_items=int(titles.max(initial=-1)) + 1,
            n_ratings=len(affinities),
            rating_scale=(LOWEST_AFFINITY, HIGHEST_AFFINITY),
            raw2inner_id_users={},
            raw2inner_id_items={},
        )
        if by_viewer:
            for viewer, title, affinity in self.all_ratings():
                self.ur.setdefault(viewer, []).append((title, affinity))

    def all_ratings(self) -> Iterator[tuple[int, int, float]]:
        """Every rating as row of the viewer, row of the title and affinity."""
        starts = range(0, self.n_ratings, _READ_AT_ONCE)
        parts = ([column[start : start + _READ_AT_ONCE] for column in self._columns] for start in starts)
        return itertools.chain.from_iterable(zip(*(column.tolist() for column in part), strict=True) for part in parts)

    @property
    def global_mean(self) -> float:
        """Mean of all affinities."""
        return float(self._columns[2].mean(dtype=np.float64))


def _implicit_factors(fitted: surprise.SVDpp, ratings: _Ratings) -> NDArray[np.float64]:
    """What the mere choice of titles adds to each viewer's factors in SVD++."""
    added: NDArray[np.float64] = np.zeros_like(fitted.pu)
    for viewer, rated in ratings.ur.items():
        watched = [title for title, _ in rated]
        added[viewer] = fitted.yj[watched].sum(axis=0) / np.sqrt(len(watched))
    return added


def _rows(names: Sequence[str], known_names: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    row_of = {name: row for row, name in enumerate(known_names)}
    rows = np.array([row_of.get(name, -1) for name in names], np.intp)
    return np.maximum(rows, 0), rows >= 0
