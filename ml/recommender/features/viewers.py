"""What is known about viewers before they have watched anything: their age band."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.recommender.features.grain import check_grain

VIEWER_COLUMNS = ("viewer_id", "age_band")
UNKNOWN_BAND = "unknown"
ASCII = r"^[\x21-\x7e]+$"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class ViewerFacts:
    """Facts by viewer.

    Attributes:
        viewer_ids: [W] sorted; viewers whose age band is known.
        age_bands: [B] sorted.
        bands: [W] rows of ``age_bands``.
    """

    viewer_ids: Sequence[str]
    age_bands: Sequence[str]
    bands: NDArray[np.uint8]

    def bands_of(self, viewer_ids: Sequence[str]) -> NDArray[np.int16]:
        """Rows of ``age_bands`` for other viewers; -1 where the band is unknown."""
        band_of = dict(zip(self.viewer_ids, self.bands.tolist(), strict=True))
        return np.array([band_of.get(viewer_id, -1) for viewer_id in viewer_ids], np.int16)


NO_VIEWER_FACTS = ViewerFacts(viewer_ids=(), age_bands=(), bands=np.empty(0, np.uint8))


def read_viewer_facts(viewers: pl.DataFrame) -> ViewerFacts:
    """Shape ``serving.srv_viewers``; ids are ASCII, as the API takes them, and others are left out and told.

    Raises:
        RecommenderError: A column is missing, or a viewer stands twice.
    """
    check_grain(viewers, VIEWER_COLUMNS, noun="viewer")
    usable = viewers.filter(pl.col("viewer_id").str.contains(ASCII))
    if usable.height < viewers.height:
        logger.warning("%d viewers have no id that the API takes, and are left out", viewers.height - usable.height)
    known = usable.filter(pl.col("age_band").is_not_null() & (pl.col("age_band") != UNKNOWN_BAND)).sort("viewer_id")
    age_bands = known["age_band"].unique().sort()
    return ViewerFacts(
        viewer_ids=known["viewer_id"].to_list(),
        age_bands=age_bands.to_list(),
        bands=age_bands.search_sorted(known["age_band"]).cast(pl.UInt8).to_numpy(),
    )
