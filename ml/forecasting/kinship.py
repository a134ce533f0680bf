"""What titles that sound alike did when they came out: the cold title's forecast from its name.

Names tell the language and the franchise where the catalogue does not: titles are compared by the letters of their
words, and a new title takes the debuts of its kin, region by region. Nothing here looks beyond the panel's end.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
from scipy import sparse

from ml.forecasting.panel import DemandPanel, FloatArray

GRAM_LENGTHS = (3, 4)
GRAM_SPACE = 2**18
LEAST_LIKENESS = 0.05
"""Titles that share less than this are no kin; most pairs share an ending or two."""
PRIOR_KIN = 0.3
"""Weight of all past debuts beside the kin's, in titles of the same name."""
DEBUT_PERIODS = 2
NEW_PERIODS = 4
"""Titles older than this are known by what they did; their name says nothing more."""


@lru_cache(maxsize=4)
def name_vectors(names: tuple[str, ...]) -> sparse.csr_matrix:
    """Unit vectors of the names, rare grams weighing more, shape [titles, GRAM_SPACE]."""
    rows, columns = [], []
    for row, name in enumerate(names):
        grams = {gram for word in name.lower().split() for gram in _grams(f" {word} ")}
        rows += [row] * len(grams)
        columns += [zlib.crc32(gram.encode()) % GRAM_SPACE for gram in grams]
    present = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(names), GRAM_SPACE))
    present.data[:] = 1.0
    holders = np.asarray(present.sum(axis=0)).ravel()
    weighted = present @ sparse.diags(np.log((1.0 + len(names)) / (1.0 + holders)))
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return (sparse.diags(1.0 / np.maximum(length, 1e-9)) @ weighted).tocsr()


def kin_debuts(panel: DemandPanel) -> FloatArray:
    """Share of a new title's kin that were watched in a region when they came out, shape [regions, titles].

    Kin are weighted by their likeness; the mean of all past debuts stands in where there are few. A title is never its
    own kin. NaN for titles that are not new.
    """
    shares = np.full(panel.values.shape[:2], np.nan)
    debuted = np.nonzero((panel.release_period > 0) & (panel.release_period < panel.periods))[0]
    new = np.nonzero(panel.release_period >= panel.periods - NEW_PERIODS)[0]
    if not len(debuted) or not len(new):
        return shares
    first = panel.release_period[debuted].astype(np.int64)
    watched = np.zeros((len(panel.regions), len(debuted)))
    for age in range(DEBUT_PERIODS):
        period = np.minimum(first + age, panel.periods - 1)
        watched = np.maximum(watched, panel.values[:, debuted, period] > 0)
    vectors = name_vectors(panel.names)
    likeness = (vectors[new] @ vectors[debuted].T).tocoo()
    close = (likeness.data > LEAST_LIKENESS) & (new[likeness.row] != debuted[likeness.col])
    weight = sparse.csr_matrix(
        (likeness.data[close] ** 1.5, (likeness.row[close], likeness.col[close])), shape=likeness.shape
    )
    kin = np.asarray(weight.sum(axis=1)).ravel()
    mean = watched.mean(axis=1)[:, None]
    shares[:, new] = ((weight @ watched.T).T + PRIOR_KIN * mean) / (kin + PRIOR_KIN)[None, :]
    return shares


def _grams(word: str) -> set[str]:
    return {word} | {word[start : start + length] for length in GRAM_LENGTHS for start in range(len(word) - length + 1)}
