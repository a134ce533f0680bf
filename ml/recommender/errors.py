"""What can go wrong in the recommender.

RecommenderError
├── ModelFolderError      a published folder is missing, incomplete or of an unknown format
├── SupportTooThin        what was shown says too little about another ranking
└── ViewingError          the viewing frame cannot be learnt from
    ├── ViewingSchemaError    a column is missing or has the wrong type
    ├── ViewingInsufficient   there is not enough to learn from yet
    └── ViewingCorrupt        too many rows are unusable to trust the rest
"""

from __future__ import annotations


class RecommenderError(Exception):
    """Anything the recommender refuses."""


class ModelFolderError(RecommenderError):
    """A published folder is missing, incomplete or of an unknown format."""


class SupportTooThin(RecommenderError):
    """What was shown says too little about another ranking."""


class ViewingError(RecommenderError):
    """The viewing frame cannot be learnt from."""


class ViewingSchemaError(ViewingError):
    """A column is missing or has the wrong type."""


class ViewingInsufficient(ViewingError):
    """There is not enough to learn from yet."""


class ViewingCorrupt(ViewingError):
    """Too many rows are unusable to trust the rest."""
