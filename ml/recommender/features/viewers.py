"""What is known about viewers before they have watched anything: their age band, and the genres that they picked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.recommender.features.grain import check_grain
from ml.recommender.model_files import MAX_GROUPS, OF_AGE, WHO_PICKED

VIEWER_COLUMNS = ("viewer_id", "age_band", "preferred_genres")
UNKNOWN_BAND = "unknown"
ASCII = r"^[\x21-\x7e]+$"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class ViewerFacts:
    """To which groups viewers belong: those of their age, and those who picked the same genre.

    Attributes:
        viewer_ids: [W] sorted; viewers of whom anything is known.
        groups: At most ``MAX_GROUPS`` names.
        memberships: [W] bit ``g`` is set where the viewer belongs to ``groups[g]``.
    """

    viewer_ids: Sequence[str]
    groups: Sequence[str]
    memberships: NDArray[np.uint64]

    def of(self, viewer_ids: Sequence[str]) -> NDArray[np.uint64]:
        """The memberships of other viewers; none where nothing is known."""
        known = dict(zip(self.viewer_ids, self.memberships.tolist(), strict=True))
        return np.array([known.get(viewer_id, 0) for viewer_id in viewer_ids], np.uint64)


NO_VIEWER_FACTS = ViewerFacts(viewer_ids=(), groups=(), memberships=np.empty(0, np.uint64))


def read_viewer_facts(viewers: pl.DataFrame) -> ViewerFacts:
    """Shape ``serving.srv_viewers``; ids are ASCII, as the API takes them, and others are left out and told.

    Raises:
        RecommenderError: A column is missing, or a viewer stands twice.
    """
    check_grain(viewers, VIEWER_COLUMNS, noun="viewer")
    usable = viewers.filter(pl.col("viewer_id").str.contains(ASCII))
    if usable.height < viewers.height:
        logger.warning("%d viewers have no id that the API takes, and are left out", viewers.height - usable.height)
    of_age = usable.filter(pl.col("age_band") != UNKNOWN_BAND).select(
        "viewer_id", group=pl.lit(OF_AGE) + pl.col("age_band")
    )
    picked = usable.select("viewer_id", genre=pl.col("preferred_genres").cast(pl.List(pl.String))).explode("genre")
    who_picked = picked.drop_nulls().select("viewer_id", group=pl.lit(WHO_PICKED) + pl.col("genre"))
    members = pl.concat([of_age, who_picked]).unique()
    sizes = members.group_by("group").len().sort(pl.col("len"), "group", descending=[True, False])
    if sizes.height > MAX_GROUPS:
        logger.warning("%d of %d groups of viewers are left out, the smallest", sizes.height - MAX_GROUPS, sizes.height)
    groups = sizes["group"].head(MAX_GROUPS).sort()
    bits = pl.DataFrame({"group": groups, "bit": np.uint64(1) << np.arange(len(groups), dtype=np.uint64)})
    known = members.join(bits, on="group").group_by("viewer_id").agg(pl.col("bit").sum()).sort("viewer_id")
    return ViewerFacts(
        viewer_ids=known["viewer_id"].to_list(), groups=groups.to_list(), memberships=known["bit"].to_numpy()
    )
