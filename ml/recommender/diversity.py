"""Re-ranking for diversity: a list of good titles that are not all the same one. Numpy only.

Maximal marginal relevance, Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking for reordering
documents and producing summaries" (SIGIR '98): each place goes to the title with the highest score less its likeness to
what already stands above it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.recommender.model_files import OnlineArrays

DIVERSIFIED_PLACES = 20
"""As long as the longest row of a page; what comes after is ordered by how unlike these it is."""

LIKENESS_WEIGHT = 0.5
"""What the most alike of the candidates lose beside each other, in standard deviations of their scores; see README."""

_SMALL = 1e-9


def diversified(
    scores: NDArray[np.floating], likeness: NDArray[np.floating]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Order candidates by score and by how much each adds to those before it.

    Args:
        scores: [C] of the candidates, higher is better; of equal ones the first comes first.
        likeness: [C, C] 0 to 1.

    Returns:
        The candidates in order, and for each of them its score in standard deviations less the loss: it never rises.
    """
    spread = scores.std() if len(scores) else 1.0
    relevance = (scores / (spread + _SMALL)).astype(np.float32)
    value = relevance.copy()
    taken = np.zeros(len(scores), bool)
    order, values = [], []
    nearest: NDArray[np.floating] = np.zeros(len(scores), np.float32)
    for _ in range(min(DIVERSIFIED_PLACES, len(scores))):
        best = int(np.argmax(value))
        order.append(best)
        values.append(value[best])
        taken[best] = True
        nearest = np.maximum(nearest, likeness[best])
        value = np.where(taken, -np.inf, relevance - LIKENESS_WEIGHT * nearest)
    rest = np.argsort(-value, kind="stable")[: len(scores) - len(order)]
    return np.concatenate([order, rest]).astype(np.intp), np.concatenate([values, value[rest]]).astype(np.float32)


def likeness_of(arrays: OnlineArrays, titles: NDArray[np.integer]) -> NDArray[np.float32]:
    """[C, C] how often one title is watched soon after the other, as a share of the most alike pair of them."""
    place = np.full(len(arrays.rule_titles) + 1, -1, np.int32)
    place[titles] = np.arange(len(titles))
    followers = place[np.minimum(arrays.rule_titles[titles], len(arrays.rule_titles))]  # "no title" has no place
    row, column = np.nonzero(followers >= 0)
    follows = np.zeros((len(titles), len(titles)), np.float32)
    follows[row, followers[row, column]] = arrays.rule_weights[titles][row, column]
    alike = follows + follows.T
    return alike / (alike.max(initial=0.0) + _SMALL)
