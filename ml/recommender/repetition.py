"""Against repetition: a title that was shown on day after day and never taken makes room for others.

From the third day on each day costs a title five places, so that it leaves a row of twenty within a week. What was
shown comes from the log of impressions; without it, as offline, nothing moves. Numpy only: requests run this.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FREE_DAYS = 2
"""To be overlooked on so many days means nothing."""

PLACES_A_DAY = 5


def order_by_rest(
    titles: NDArray[np.integer], unanswered: NDArray[np.integer], days_shown: NDArray[np.integer]
) -> NDArray[np.intp]:
    """The order of a ranked list after titles went down for having been shown and not taken.

    Args:
        titles: [N] the list, best first.
        unanswered: [U] titles that were shown to the viewer and not taken, sorted.
        days_shown: [U] on how many days.

    Returns:
        [N] positions in ``titles``; two titles that lost as many places keep their order.
    """
    places = np.arange(len(titles), dtype=np.int64)
    if len(unanswered):
        found = np.minimum(np.searchsorted(unanswered, titles), len(unanswered) - 1)
        lost = PLACES_A_DAY * np.maximum(days_shown[found].astype(np.int64) - FREE_DAYS, 0)
        places += np.where(unanswered[found] == titles, lost, 0)
    return np.argsort(places, kind="stable")
