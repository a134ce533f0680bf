"""The recommender: what each viewer is likely to want next, and how much they will like it.

The names below are loaded on first use: the serving plane imports ``ml.recommender.online``, which runs this file, and
must not pay for polars or Surprise.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml.recommender.online import OnlineRecommender, RecentWatch, Scored

_HOMES = {
    "OnlineRecommender": "online",
    "RecentWatch": "online",
    "Scored": "online",
}

__all__ = ["OnlineRecommender", "RecentWatch", "Scored"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
