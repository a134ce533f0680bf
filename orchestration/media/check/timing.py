"""How exact times must be, and whether renditions are cut at the same points."""

from __future__ import annotations

from collections.abc import Sequence

DURATION_TOLERANCE_S = 0.1
"""Of a whole rendition against the title."""
TIME_TOLERANCE_S = 0.001
"""Of a segment, as a manifest tells of it and against those of other renditions."""
FRAME_RATE_TOLERANCE = 0.002


def same_cuts(one_starts_s: Sequence[float], other_starts_s: Sequence[float]) -> bool:
    """Whether two renditions have as many segments, which start at the same times."""
    return len(one_starts_s) == len(other_starts_s) and all(
        abs(one - other) <= TIME_TOLERANCE_S for one, other in zip(one_starts_s, other_starts_s, strict=True)
    )
