"""Reading the drop of mentions: which rows of the delivered files may be used, and why the others may not.

Pure work on files and frames; no row is ever mended here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from orchestration.defs.demand.forecast_store import MENTIONS_SCHEMA as SCHEMA

FORMATS = (".csv", ".parquet")
KEY = ["day", "region_id", "title_id"]
REJECTED_SCHEMA = {"file": pl.String, "row": pl.UInt32, "reason": pl.String}
LATEST_AGE_DAYS = 1
"""The newest day of a feed that is alive lies at most so long before today."""
SHOWN_SILENT_DAYS = 3
SMALLEST_ACCEPTED_SHARE = 0.5
"""Fewer accepted rows than this, and the feed speaks of another catalogue."""


@dataclass(frozen=True, kw_only=True)
class MentionsDelivery:
    """What came of the drop.

    Attributes:
        accepted: day, region_id, title_id, mentions; one row a day, region and title.
        rejected: file, row (number in the file, from 0) and reason; a file that cannot be read has no row.
        files: How many files there are.
        replaced: Rows that a later file said again; the later one counts.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame
    files: int
    replaced: int


def read_mentions(
    folder: Path, *, titles: Collection[str], regions: Collection[str], today: dt.date
) -> MentionsDelivery:
    """Read every file of the drop, in the order of their names.

    Args:
        folder: Where the feed is delivered; need not exist.
        titles: Titles of the catalogue.
        regions: Regions of the seeds.
        today: The first day that is not over; nothing can be known of it.
    """
    files = sorted(path for path in folder.glob("*") if path.suffix in FORMATS and not path.name.startswith("."))
    accepted, rejected = [pl.DataFrame(schema=SCHEMA)], [pl.DataFrame(schema=REJECTED_SCHEMA)]
    for path in files:
        try:
            judged = _judge(_read(path), titles, regions, today)
        except (pl.exceptions.PolarsError, OSError) as error:
            problem = f"the file cannot be read: {str(error).splitlines()[0]}"
            rejected.append(pl.DataFrame([(path.name, None, problem)], schema=REJECTED_SCHEMA, orient="row"))
            continue
        bad = judged.filter(pl.col("reason") != "")
        rejected.append(bad.select(pl.lit(path.name).alias("file"), "row", "reason"))
        accepted.append(judged.filter(pl.col("reason") == "").select(list(SCHEMA)))
    said = pl.concat(accepted)
    kept = said.unique(KEY, keep="last", maintain_order=True)
    return MentionsDelivery(
        accepted=kept, rejected=pl.concat(rejected), files=len(files), replaced=len(said) - len(kept)
    )


def find_faults(delivery: MentionsDelivery, today: dt.date) -> list[str]:
    """Why the feed is not alive; nothing when it is, or when there is none."""
    if not delivery.files:
        return []
    rows, refused = len(delivery.accepted), len(delivery.rejected)
    newest = delivery.accepted["day"].max()
    if not isinstance(newest, dt.date):
        return [f"no row of {delivery.files} files can be used"]
    faults = []
    if newest < today - dt.timedelta(days=LATEST_AGE_DAYS):
        faults.append(f"its newest day is {newest}, {(today - newest).days} days before {today}")
    since = today - dt.timedelta(days=SHOWN_SILENT_DAYS)
    lately = delivery.accepted.filter(pl.col("day") >= since)
    if len(lately) and lately["mentions"].sum() == 0:
        faults.append(f"all mentions since {since} are zero")
    if rows < SMALLEST_ACCEPTED_SHARE * (rows + refused):
        faults.append(f"only {rows} of {rows + refused} rows can be used")
    return faults


def _read(path: Path) -> pl.DataFrame:
    # text first: one number that cannot be read costs its row and not the file
    frame = pl.read_csv(path, infer_schema=False) if path.suffix == ".csv" else pl.read_parquet(path)
    missing = [name for name in SCHEMA if name not in frame.columns]
    if missing:
        raise pl.exceptions.ColumnNotFoundError(f"it lacks {', '.join(missing)}; see docs/contracts.md")
    day = pl.col("day").str.to_date("%Y-%m-%d", strict=False) if frame.schema["day"] == pl.String else pl.col("day")
    return frame.select(
        day.cast(pl.Date, strict=False), *(pl.col(name).cast(SCHEMA[name], strict=False) for name in list(SCHEMA)[1:])
    )


def _judge(rows: pl.DataFrame, titles: Collection[str], regions: Collection[str], today: dt.date) -> pl.DataFrame:
    rules = {
        "day is no date": pl.col("day").is_null(),
        f"day is not over on {today}": pl.col("day") >= today,
        "region_id is no region of the seeds": ~pl.col("region_id").is_in(sorted(regions)),
        "title_id is no title of the catalogue": ~pl.col("title_id").is_in(sorted(titles)),
        "mentions is no number from 0 on": ~(pl.col("mentions").is_finite() & (pl.col("mentions") >= 0)),
        "day, region and title were given before in this file": ~pl.struct(KEY).is_first_distinct(),
    }
    reasons = [pl.when(is_bad.fill_null(value=True)).then(pl.lit(reason)) for reason, is_bad in rules.items()]
    return rows.with_row_index("row").with_columns(pl.coalesce(*reasons, pl.lit("")).alias("reason"))
