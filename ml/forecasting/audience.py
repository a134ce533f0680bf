"""Who will watch: a region's forecast of a title, dealt to the age bands of its viewers.

Bands are not forecast one by one: most titles have a session or two a day in a region, and a band of it has next to
none, so that a sum of bands knows less than the region. What a band makes of a title is learnt from longer ago and
from all regions.
"""

from __future__ import annotations

import polars as pl

from ml.forecasting.errors import DemandInputError

AUDIENCE_COLUMNS = ("region_id", "title_id", "age_band", "sessions")
AUDIENCE_SCHEMA = {
    "region_id": pl.String,
    "title_id": pl.String,
    "day": pl.Date,
    "age_band": pl.String,
    "sessions": pl.Float64,
}
LEAN_SESSIONS = 20.0
"""Sessions after which a title, or a genre, is believed half as far as it leans to a band."""
REGION_SESSIONS = 50.0
"""The same of a region and its own mix of bands."""
UNKNOWN = ""


def deal_to_age_bands(forecast: pl.DataFrame, watched: pl.DataFrame, titles: pl.DataFrame) -> pl.DataFrame:
    """Deal expected sessions to age bands, so that the bands of a title and day add up to its forecast.

    A title's share of a band is that of the region, times how far its genre leans to the band, times how far the title
    itself does, each as the ratio of sessions to those that the step before expects, drawn to 1 by a gamma prior of
    some sessions.

    Args:
        forecast: region_id, title_id, day, sessions.
        watched: region_id, title_id, age_band, sessions: of the last weeks, all days together.
        titles: title_id and, where known, genres.

    Returns:
        region_id, title_id, day, age_band, sessions; nothing where no session was ever seen.

    Raises:
        DemandInputError: A column is missing.
    """
    if missing := [name for name in AUDIENCE_COLUMNS if name not in watched.columns]:
        raise DemandInputError(f"the audience frame lacks {missing}; it has {watched.columns}")
    main_genre = pl.col("genres").list.first() if "genres" in titles.columns else pl.lit(None, pl.String)
    genre_of = titles.select("title_id", main_genre.fill_null(UNKNOWN).alias("genre")).unique("title_id")
    seen = watched.filter(pl.col("sessions") > 0).join(genre_of, on="title_id", how="left").fill_null(UNKNOWN)
    mix = _mix_of_regions(seen, forecast["region_id"].unique())
    pairs = (
        forecast.select("region_id", "title_id")
        .unique()
        .join(genre_of, on="title_id", how="left")
        .fill_null(UNKNOWN)
        .join(mix, on="region_id")
    )
    expected = _expect(seen.group_by("region_id", "title_id", "genre").agg(pl.col("sessions").sum()), mix)
    by_genre = _leanings(seen, expected, "genre")
    expected = _scale(expected, by_genre, "genre")
    by_title = _leanings(seen, expected, "title_id")
    shares = (
        pairs.pipe(_scale, by_genre, "genre", "share")
        .pipe(_scale, by_title, "title_id", "share")
        .with_columns(share=pl.col("share") / pl.col("share").sum().over("region_id", "title_id"))
    )
    return (
        forecast.select("region_id", "title_id", "day", "sessions")
        .join(shares.select("region_id", "title_id", "age_band", "share"), on=["region_id", "title_id"])
        .select("region_id", "title_id", "day", "age_band", sessions=pl.col("sessions") * pl.col("share"))
        .sort("region_id", "title_id", "day", "age_band")
        .cast(AUDIENCE_SCHEMA)  # type: ignore[arg-type]
    )


def stand_out(dealt: pl.DataFrame, count: int) -> pl.DataFrame:
    """Titles that an age band will watch by most more than the region as a whole does.

    Args:
        dealt: :func:`deal_to_age_bands`.
        count: How many titles of each region and band, at most.

    Returns:
        region_id, age_band, title_id, sessions of all days, more (how many of them are beyond the band's share of the
        region); regions and bands in their order, most first.
    """
    by_title = dealt.group_by("region_id", "age_band", "title_id").agg(pl.col("sessions").sum())
    of_band = pl.col("sessions").sum().over("region_id", "age_band") / pl.col("sessions").sum().over("region_id")
    of_title = pl.col("sessions").sum().over("region_id", "title_id")
    return (
        by_title.with_columns(more=pl.col("sessions") - of_band * of_title)
        .filter(pl.col("more") > 0)
        .sort(["region_id", "age_band", "more", "title_id"], descending=[False, False, True, False])
        .group_by("region_id", "age_band", maintain_order=True)
        .head(count)
        .select("region_id", "age_band", "title_id", "sessions", "more")
    )


def _mix_of_regions(seen: pl.DataFrame, regions: pl.Series) -> pl.DataFrame:
    """Share of every band in every region, drawn to the mix of all: region_id, age_band, share."""
    everywhere = seen.group_by("age_band").agg(pl.col("sessions").sum())
    everywhere = everywhere.select("age_band", common=pl.col("sessions") / pl.col("sessions").sum())
    own = seen.group_by("region_id", "age_band").agg(pl.col("sessions").sum())
    return (
        pl.DataFrame({"region_id": regions})
        .join(everywhere, how="cross")
        .join(own, on=["region_id", "age_band"], how="left")
        .with_columns(pl.col("sessions").fill_null(0.0) + REGION_SESSIONS * pl.col("common"))
        .select("region_id", "age_band", share=pl.col("sessions") / pl.col("sessions").sum().over("region_id"))
    )


def _expect(seen: pl.DataFrame, mix: pl.DataFrame) -> pl.DataFrame:
    """Sessions of every band if each title had its region's mix."""
    return seen.join(mix, on="region_id").with_columns(expected=pl.col("sessions") * pl.col("share"))


def _leanings(seen: pl.DataFrame, expected: pl.DataFrame, by: str) -> pl.DataFrame:
    """How far a genre or title leans to a band: ``by``, age_band, lean."""
    actual = seen.group_by(by, "age_band").agg(pl.col("sessions").sum().alias("actual"))
    return (
        expected.group_by(by, "age_band")
        .agg(pl.col("expected").sum())
        .join(actual, on=[by, "age_band"], how="left")
        .select(
            by,
            "age_band",
            lean=(pl.col("actual").fill_null(0.0) + LEAN_SESSIONS) / (pl.col("expected") + LEAN_SESSIONS),
        )
    )


def _scale(frame: pl.DataFrame, leanings: pl.DataFrame, by: str, column: str = "expected") -> pl.DataFrame:
    return (
        frame.join(leanings, on=[by, "age_band"], how="left")
        .with_columns(pl.col(column) * pl.col("lean").fill_null(1.0))
        .drop("lean")
    )
