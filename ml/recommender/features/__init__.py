"""What the models learn from: who watched what, and what is known about titles and viewers."""

from ml.recommender.features.catalogue import TITLE_COLUMNS, TitleFacts, read_title_facts
from ml.recommender.features.interactions import (
    VIEWING_COLUMNS,
    HeldOut,
    Interactions,
    leave_last_out,
    newest_held_out,
    read_interactions,
)
from ml.recommender.features.viewers import NO_VIEWER_FACTS, VIEWER_COLUMNS, ViewerFacts, read_viewer_facts

__all__ = [
    "NO_VIEWER_FACTS",
    "TITLE_COLUMNS",
    "VIEWER_COLUMNS",
    "VIEWING_COLUMNS",
    "HeldOut",
    "Interactions",
    "TitleFacts",
    "ViewerFacts",
    "leave_last_out",
    "newest_held_out",
    "read_interactions",
    "read_title_facts",
    "read_viewer_facts",
]
