"""Gradient-boosted trees as arrays: what the ranker learnt, evaluated with numpy alone.

Every tree is stored as a complete binary tree, so that a step down is arithmetic (``2 p + 1`` or ``2 p + 2``) and no
lookup of children: where LightGBM stopped early, the branch goes on with thresholds that all pass and the same
value in every leaf below. Values are compared in float32, thresholds being rounded down to it: that decides as
LightGBM does in double precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Trees:
    """An ensemble of N trees of depth D. Without trees it scores everything 0.

    Attributes:
        features: [N, 2**D - 1] the column that a node looks at.
        thresholds: [N, 2**D - 1] float32; values up to the threshold go left.
        values: [N, 2**D] float32, what a leaf adds to the score.
    """

    features: NDArray[np.unsignedinteger]
    thresholds: NDArray[np.float32]
    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.features)

    @property
    def depth(self) -> int:
        """Decisions on the way to a leaf."""
        return int(self.values.shape[1]).bit_length() - 1

    def part(self, first: int, end: int) -> Trees:
        """Some of the trees, which add up with the others."""
        return Trees(
            features=self.features[first:end], thresholds=self.thresholds[first:end], values=self.values[first:end]
        )

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """[R] the ensemble's score of each of the [R, F] rows."""
        nodes, leaves = self.features.shape[1], self.values.shape[1]
        features, thresholds = self.features.ravel(), self.thresholds.ravel()
        flat = np.ascontiguousarray(rows).ravel()
        first_node = np.arange(len(self), dtype=np.int32) * nodes
        first_column = (np.arange(len(rows), dtype=np.int32) * rows.shape[1])[:, None]
        position = np.zeros((len(rows), len(self)), np.int32)
        for _ in range(self.depth):
            node = position + first_node
            right = flat.take(features.take(node) + first_column) > thresholds.take(node)
            position = 2 * position + 1 + right
        leaf = position - nodes + np.arange(len(self), dtype=np.int32) * leaves
        summed: NDArray[np.float32] = self.values.ravel().take(leaf).sum(axis=1)
        return summed


def no_trees() -> Trees:
    """An ensemble that says nothing."""
    return Trees(
        features=np.empty((0, 1), np.uint8),
        thresholds=np.empty((0, 1), np.float32),
        values=np.empty((0, 2), np.float32),
    )
