"""The recommender: what each viewer is likely to want next, and how much they will like it.

The names below are loaded on first use: the serving plane imports ``ml.recommender.online``, which runs this file, and
must not pay for polars or Surprise.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml.recommender.affinity import AffinityModel, load_affinity, save_affinity
    from ml.recommender.errors import ModelFolderError, RecommenderError, ViewingError, ViewingInsufficient
    from ml.recommender.evaluation import Evaluation, evaluate
    from ml.recommender.features import (
        TITLE_COLUMNS,
        VIEWER_COLUMNS,
        VIEWING_COLUMNS,
        read_interactions,
        read_title_facts,
        read_viewer_facts,
    )
    from ml.recommender.gate import GateDecision, decide, read_evidence
    from ml.recommender.online import OnlineRecommender, RecentWatch, Scored
    from ml.recommender.publication import Publication, publish
    from ml.recommender.ranker import RankerRecipe
    from ml.recommender.report import calibration_plot, gate_table, metrics_table, publication_summary, training_plots
    from ml.recommender.shadow import SHOWN_COLUMNS, ShadowScore, read_shadow_score, score_in_shadow
    from ml.recommender.top_n import Recipe, TopNModel, load_top_n, save_top_n
    from ml.recommender.training import (
        TrainedAffinity,
        TrainedTopN,
        train_affinity,
        train_top_n,
    )

_NAMES_BY_MODULE = {
    "affinity": ("AffinityModel", "load_affinity", "save_affinity"),
    "errors": ("ModelFolderError", "RecommenderError", "ViewingError", "ViewingInsufficient"),
    "evaluation": ("Evaluation", "evaluate"),
    "features": (
        "TITLE_COLUMNS",
        "VIEWER_COLUMNS",
        "VIEWING_COLUMNS",
        "read_interactions",
        "read_title_facts",
        "read_viewer_facts",
    ),
    "gate": ("GateDecision", "decide", "read_evidence"),
    "online": ("OnlineRecommender", "RecentWatch", "Scored"),
    "publication": ("Publication", "publish"),
    "ranker": ("RankerRecipe",),
    "report": ("calibration_plot", "gate_table", "metrics_table", "publication_summary", "training_plots"),
    "shadow": ("SHOWN_COLUMNS", "ShadowScore", "read_shadow_score", "score_in_shadow"),
    "top_n": ("Recipe", "TopNModel", "load_top_n", "save_top_n"),
    "training": ("TrainedAffinity", "TrainedTopN", "train_affinity", "train_top_n"),
}
_MODULE_OF = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}

__all__ = [
    "SHOWN_COLUMNS",
    "TITLE_COLUMNS",
    "VIEWER_COLUMNS",
    "VIEWING_COLUMNS",
    "AffinityModel",
    "Evaluation",
    "GateDecision",
    "ModelFolderError",
    "OnlineRecommender",
    "Publication",
    "RankerRecipe",
    "RecentWatch",
    "Recipe",
    "RecommenderError",
    "Scored",
    "ShadowScore",
    "TopNModel",
    "TrainedAffinity",
    "TrainedTopN",
    "ViewingError",
    "ViewingInsufficient",
    "calibration_plot",
    "decide",
    "evaluate",
    "gate_table",
    "load_affinity",
    "load_top_n",
    "metrics_table",
    "publication_summary",
    "publish",
    "read_evidence",
    "read_interactions",
    "read_shadow_score",
    "read_title_facts",
    "read_viewer_facts",
    "save_affinity",
    "save_top_n",
    "score_in_shadow",
    "train_affinity",
    "train_top_n",
    "training_plots",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
