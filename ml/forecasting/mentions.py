"""Mentions: how much people elsewhere talk about a title, region by region and day by day, before they watch it.

Here belong reading such a feed beside a panel and what the model sees of it. A day's mentions are known when the day
is over, so at an origin there are those of the panel's days and none of a later one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from ml.forecasting.errors import DemandInputError

FloatArray = npt.NDArray[np.float64]

MENTION_COLUMNS = ("region_id", "title_id", "day", "mentions")
LATELY = 2
"""Periods that count as now: talk runs ahead of viewing by a day or two."""
BEFORE = 14
PRIOR_MENTIONS = 1.0
SMALLEST_SHARE = 1e-5


def align_mentions(
    mentions: pl.DataFrame, regions: Sequence[str], titles: Sequence[str], period: pl.Expr, periods: int
) -> tuple[FloatArray | None, str]:
    """The feed on the grid of a panel, and a sentence when it cannot be used.

    A period without a single mention anywhere is an outage of the feed: NaN, not silence. A feed that says nothing of
    the panel's last period is not used at all, for the model would take an outage for silence just where it matters.

    Args:
        mentions: region_id, title_id, day, mentions. Rows of other regions, titles and periods are left out.
        regions: Of the panel.
        titles: Of the panel.
        period: The panel's period of a row, from the column ``day``.
        periods: Length of the panel.

    Returns:
        Shape [regions, titles, periods], or None.

    Raises:
        DemandInputError: A column is missing.
    """
    missing = [name for name in MENTION_COLUMNS if name not in mentions.columns]
    if missing:
        raise DemandInputError(f"the mentions frame lacks {missing}; it has {mentions.columns}")
    rows = mentions.select("region_id", "title_id", period.alias("period"), pl.col("mentions").cast(pl.Float64)).filter(
        pl.col("period").is_between(0, periods - 1),
        pl.col("region_id").is_in(list(regions)),
        pl.col("title_id").is_in(list(titles)),
        pl.col("mentions").is_finite() & (pl.col("mentions") >= 0),
    )
    grid = np.zeros((len(regions), len(titles), periods))
    region_of = {name: index for index, name in enumerate(regions)}
    title_of = {name: index for index, name in enumerate(titles)}
    at = (
        rows["region_id"].replace_strict(region_of, return_dtype=pl.Int64).to_numpy(),
        rows["title_id"].replace_strict(title_of, return_dtype=pl.Int64).to_numpy(),
        rows["period"].to_numpy(),
    )
    np.add.at(grid, at, rows["mentions"].to_numpy())
    silent = grid.sum(axis=(0, 1)) == 0
    if periods == 0 or silent[-1]:
        return None, "mentions are not used: the feed says nothing of the last complete day"
    grid[:, :, silent] = np.nan
    return grid, ""


def mention_features(mentions: FloatArray, base: FloatArray) -> dict[str, FloatArray]:
    """What the model sees of the mentions up to the origin, each of shape [regions, titles].

    Args:
        mentions: Shape [regions, titles, periods]; periods of an outage are NaN.
        base: What the fallback expects next, shape [regions, titles].
    """
    now = _mean(mentions[:, :, -LATELY:])
    before = _mean(mentions[:, :, -BEFORE:-LATELY])
    share = now / np.maximum(now.sum(axis=1, keepdims=True), 1e-9)
    expected_share = base / np.maximum(base.sum(axis=1, keepdims=True), 1e-9)
    regions = len(now)
    return {
        "mentions_now": np.log1p(now),
        "mentions_rise": np.log((now + PRIOR_MENTIONS) / (before + PRIOR_MENTIONS)),
        # more talked about than it is expected to be watched
        "mentions_over_base": np.log((share + SMALLEST_SHARE) / (expected_share + SMALLEST_SHARE)),
        "mentions_elsewhere": np.repeat(np.log1p(now.mean(axis=0))[None], regions, axis=0),
    }


def _mean(mentions: FloatArray) -> FloatArray:
    """Mean over the periods that have a feed; NaN where none has."""
    known = ~np.isnan(mentions[0, 0]) if mentions.size else np.zeros(0, dtype=np.bool_)
    if not known.any():
        return np.full(mentions.shape[:2], np.nan)
    mean: FloatArray = mentions[:, :, known].mean(axis=2)
    return mean
