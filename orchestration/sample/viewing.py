"""Sessions as columns: what every world makes, and what is turned into beats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from orchestration.sample.errors import SampleWorldError


@dataclass(frozen=True, kw_only=True)
class Viewing:
    """Who meant to watch what, when and how much of it; one element a session, in order of time.

    Attributes:
        viewer: Index of the viewer's row.
        title: Index of the title's row.
        started_s: Start, seconds after the window's start, rising.
        completion: Share of the title that the viewer means to see, 0 to 1.
    """

    viewer: NDArray[np.int64]
    title: NDArray[np.int64]
    started_s: NDArray[np.float64]
    completion: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.viewer)

    def in_order(self) -> Self:
        """The same sessions, sorted by their start."""
        order = np.lexsort((self.viewer, self.started_s))
        return type(self)(
            viewer=self.viewer[order],
            title=self.title[order],
            started_s=self.started_s[order],
            completion=self.completion[order],
        )


def durations_of(title_ids: list[str], durations_s: Mapping[str, float]) -> NDArray[np.float64]:
    """The length of the media shown for each title.

    Raises:
        SampleWorldError: A length is missing or not positive; the message names some of the titles.
    """
    missing = [title_id for title_id in title_ids if not durations_s.get(title_id, 0.0) > 0]
    if missing:
        raise SampleWorldError(
            f"{len(missing)} titles have no media length, such as {missing[:3]}; give every title_id a duration_s"
        )
    return np.array([durations_s[title_id] for title_id in title_ids], dtype=np.float64)
