"""What can go wrong in placement.

::

    PlacementError
    ├── PlacementInputError   a frame lacks a column, or the network makes no sense
    └── NoDemand              nothing is known of what anyone wants to watch
"""

from __future__ import annotations


class PlacementError(Exception):
    """Base of every error of this package."""


class PlacementInputError(PlacementError):
    """A frame lacks a column or holds values that make no plan."""


class NoDemand(PlacementError):
    """No expected session in the region nor anywhere else; make a forecast first."""
