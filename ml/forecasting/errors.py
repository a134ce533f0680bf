"""What can go wrong in forecasting.

::

    ForecastingError
    ├── DemandInputError     a frame lacks a column or cannot be read as demand
    └── TooLittleHistory     not enough complete days to train a model; the fallback still works
"""

from __future__ import annotations


class ForecastingError(Exception):
    """Base of every error of this package."""


class DemandInputError(ForecastingError):
    """A frame lacks a column or holds values that no demand can have."""


class TooLittleHistory(ForecastingError):
    """Too few complete days to train a model; publish the fallback instead."""
