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
    left = (scores / (spread + _SMALL)).astype(np.float32)
    value = left.copy()
    loss = LIKENESS_WEIGHT * likeness
    order, values = [], []
    greatest_loss = np.zeros(len(scores), loss.dtype)
    for _ in range(min(DIVERSIFIED_PLACES, len(scores))):
        best = int(value.argmax())
        order.append(best)
        values.append(value[best])
        left[best] = -np.inf
        np.maximum(greatest_loss, loss[best], out=greatest_loss)
        np.subtract(left, greatest_loss, out=value)
    rest = np.argsort(-value, kind="stable")[: len(scores) - len(order)]
    return np.concatenate([order, rest]).astype(np.intp), np.concatenate([values, value[rest]]).astype(np.float32)


def likeness_of(arrays: OnlineArrays, titles: NDArray[np.integer]) -> NDArray[np.float32]:
    """[C, C] how often one title is watched soon after the other, as a share of the most alike pair of them."""
    place = np.full(len(arrays.rule_titles) + 1, -1, np.int32)
    place[titles] = np.arange(len(titles))
    followers = place.take(
        arrays.rule_titles[titles], mode="clip"
    )  # "no title" is clipped to the end, which has no place
    found = np.flatnonzero(followers.ravel() >= 0)
    row, column = np.divmod(found, max(followers.shape[1], 1))
    follows = np.zeros((len(titles), len(titles)), np.float32)
    follows[row, followers.ravel()[found]] = arrays.rule_weights[titles[row], column]
    alike = follows + follows.T
    alike /= alike.max(initial=0.0) + _SMALL
    return alike
