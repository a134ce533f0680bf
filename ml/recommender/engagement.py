"""What watching says about liking: the one mapping that training, evaluation and request time share.

A viewer rarely rates. What is known is how much of a title was watched, in how many sessions. The *watched share* of a
title is the sum of the completions of its sessions: two evenings of one half each make one whole viewing; 2.0 means
that it was watched twice.

    watched share   0      0.1    0.5    1.0    1.5    2.0 and more
    affinity        1.0    1.35   2.75   4.5    4.75   5.0

A whole viewing is worth 4.5 and only a second one earns the rest, since coming back is the strongest thing a viewer can
say. Below ``BOUNCE_SHARE`` the viewer left again: the title counts as seen, but nothing is concluded from it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOWEST_AFFINITY = 1.0
HIGHEST_AFFINITY = 5.0
WHOLE_VIEWING_AFFINITY = 4.5
BOUNCE_SHARE = 0.1


def affinity_of(watched_share: NDArray[np.floating]) -> NDArray[np.float32]:
    """The 1-5 affinity that a watched share stands for."""
    share = np.asarray(watched_share, np.float32)
    first = (WHOLE_VIEWING_AFFINITY - LOWEST_AFFINITY) * np.clip(share, 0.0, 1.0)
    again = (HIGHEST_AFFINITY - WHOLE_VIEWING_AFFINITY) * np.clip(share - 1.0, 0.0, 1.0)
    return np.asarray(LOWEST_AFFINITY + first + again, np.float32)


def history_weight_of(watched_share: NDArray[np.floating]) -> NDArray[np.float32]:
    """How much a title in a viewer's history steers the next recommendations: 0 for a bounce, else 0.5 to 1.

    A viewer who watched half still chose the title among all others, hence not less than one half.
    """
    share = np.asarray(watched_share, np.float32)
    return np.where(share < BOUNCE_SHARE, 0.0, 0.5 + 0.5 * np.clip(share, 0.0, 1.0)).astype(np.float32)
