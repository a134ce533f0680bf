"""What frames of facts have in common: their columns, and one row for each thing that they tell of."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ml.recommender.errors import RecommenderError


def check_grain(frame: pl.DataFrame, columns: Sequence[str], *, noun: str) -> None:
    """Refuse a frame that cannot be read as facts about ``noun``s.

    Args:
        frame: The facts.
        columns: What must be there; the first is the key.
        noun: What a row tells of, for the message.

    Raises:
        RecommenderError: A column is missing, or a key stands twice.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise RecommenderError(f"the {noun}s frame has no column {', '.join(missing)}; it needs {list(columns)}")
    if frame[columns[0]].is_duplicated().any():
        raise RecommenderError(f"the {noun}s frame names a {noun} twice; its grain is one row a {noun}")
