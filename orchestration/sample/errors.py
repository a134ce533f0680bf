"""What can go wrong with made-up data."""

from __future__ import annotations


class SampleWorldError(Exception):
    """A world cannot be made as asked, or a file that it is to be made from is missing or of another form."""
