"""Rendezvous hashing: which of several nodes a key belongs to, agreed on without talking.

Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998), with the weights of Schindelhauer and
Schomaker (2005). A node that comes or goes moves only the keys that it gains or held: about 1/n of them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

_HASH_SPACE = 2**64


def unit_hash(*parts: str) -> float:
    """A number in (0, 1) that depends on all parts and is the same in every process."""
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / _HASH_SPACE


def rendezvous_order(key: str, weight_by_node: Mapping[str, float]) -> list[str]:
    """All nodes, the owner of ``key`` first, then who would own it next, and so on.

    Args:
        key: What is to be owned, such as a title's id.
        weight_by_node: Positive weights; a node owns keys in proportion to its own.
    """

    def score(node: str) -> float:
        # log of a float just below 1 may round to zero; that node then simply wins
        return -weight_by_node[node] / min(math.log(unit_hash(key, node)), -1e-18)

    return sorted(weight_by_node, key=lambda node: (-score(node), node))
