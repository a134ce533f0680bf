"""What the models learn from: who watched what, and what is known about the titles."""

from ml.recommender.features.catalogue import TITLE_COLUMNS, TitleFacts, read_title_facts
from ml.recommender.features.interactions import (
    VIEWING_COLUMNS,
    HeldOut,
    Interactions,
    leave_last_out,
    newest_held_out,
    read_interactions,
)

__all__ = [
    "TITLE_COLUMNS",
    "VIEWING_COLUMNS",
    "HeldOut",
    "Interactions",
    "TitleFacts",
    "leave_last_out",
    "newest_held_out",
    "read_interactions",
    "read_title_facts",
]
