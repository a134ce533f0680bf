"""Reading the catalogue drop: which rows of a delivered file may enter the lake, and why the others may not.

Pure work on frames; no row is ever mended here. What a missing value means is decided in dbt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from orchestration.media.description import TitleDescription

IDENTIFIER_PATTERN = r"^[a-z0-9-]{1,64}$"

TITLE_COLUMNS: Mapping[str, pl.DataType] = {
    "title_id": pl.String(),
    "name": pl.String(),
    "kind": pl.String(),
    "genres": pl.List(pl.String()),
    "language": pl.String(),
    "maturity_age": pl.Int32(),
    "release_date": pl.Date(),
    "runtime_s": pl.Float64(),
    "synopsis": pl.String(),
    "media_title_id": pl.String(),
    "licence_start": pl.Date(),
    "licence_end": pl.Date(),
}
VIEWER_COLUMNS: Mapping[str, pl.DataType] = {
    "viewer_id": pl.String(),
    "region_id": pl.String(),
    "age_band": pl.String(),
    "device": pl.String(),
    "network_class": pl.String(),
    "preferred_genres": pl.List(pl.String()),
    "created_at": pl.Datetime("us"),
}


class DropUnreadable(Exception):
    """A delivered file cannot be used at all: it is no Parquet, or it has no ids."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What came of one file of the drop.

    Attributes:
        accepted: The rows that may enter the lake, with exactly the wanted columns.
        rejected: ``row`` (number in the file, from 0), the id as delivered and the ``reason``.
        notes: What else a reader should know: a missing file, optional columns that were not delivered, unknown ones.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame
    notes: list[str]


def read_titles(path: Path) -> Delivery:
    """The titles of the drop; their id and name are required.

    Raises:
        DropUnreadable: The file cannot be used at all.
    """
    return _read(path, TITLE_COLUMNS, id_column="title_id", rules=[(_is_blank("name"), "name is missing")])


def read_viewers(path: Path, known_regions: Collection[str]) -> Delivery:
    """The viewers of the drop; their id and one of the known regions are required.

    Raises:
        DropUnreadable: The file cannot be used at all.
    """
    in_no_region = ~pl.col("region_id").is_in(sorted(known_regions)).fill_null(False)
    return _read(
        path, VIEWER_COLUMNS, id_column="viewer_id", rules=[(in_no_region, "region_id is no region of the seeds")]
    )


def add_descriptions(accepted: pl.DataFrame, described: Mapping[str, TitleDescription]) -> pl.DataFrame:
    """The delivered titles with what files beside masters say about them: they fill in what the drop leaves open.

    Args:
        accepted: Rows of `read_titles`; whatever they say counts.
        described: By title id; a title without a row gets one.
    """
    rows = [{"title_id": title_id, **msgspec.structs.asdict(said)} for title_id, said in sorted(described.items())]
    fields = {name: kind for name, kind in TITLE_COLUMNS.items() if name != "media_title_id"}
    beside = pl.DataFrame(rows, schema=fields).with_columns(media_title_id=pl.lit(None, pl.String()))
    return (
        accepted.join(beside, on="title_id", how="full", coalesce=True, suffix="_beside")
        .with_columns(pl.coalesce(name, f"{name}_beside") for name in TITLE_COLUMNS if name != "title_id")
        .select(list(TITLE_COLUMNS))
        .sort("title_id")
    )


def _read(
    path: Path, columns: Mapping[str, pl.DataType], *, id_column: str, rules: Sequence[tuple[pl.Expr, str]]
) -> Delivery:
    if not path.exists():
        return _split(pl.DataFrame(schema={"row": pl.UInt32(), **columns, "reason": pl.String()}), id_column,
                      [f"{path.name} was not delivered to {path.parent}"])  # fmt: skip
    try:
        delivered = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise DropUnreadable(f"{path} is no readable Parquet file ({error}); deliver it again") from error
    if id_column not in delivered.columns:
        raise DropUnreadable(f"{path} has no column {id_column}; deliver it, see docs/contracts.md")
    absent = [name for name in columns if name not in delivered.columns]
    unknown = [name for name in delivered.columns if name not in columns]
    notes = [f"not delivered, taken as unknown: {', '.join(absent)}"] if absent else []
    notes += [f"delivered and not used: {', '.join(unknown)}"] if unknown else []
    given = delivered.with_columns(pl.lit(None).alias(name) for name in absent).select(list(columns))
    try:
        typed = given.select(_as_type(given.schema[name], kind, name) for name, kind in columns.items())
    except pl.exceptions.PolarsError as error:
        raise DropUnreadable(f"{path}: a column has a type that cannot be what it should be: {error}") from error
    unreadable = [
        pl.when(given[name].is_not_null() & typed[name].is_null()).then(pl.lit(f"{name} cannot be read"))
        for name in columns
    ]
    is_no_id = ~pl.col(id_column).str.contains(IDENTIFIER_PATTERN).fill_null(False)
    broken = [pl.when(is_bad).then(pl.lit(reason)) for is_bad, reason in [
        (is_no_id, f"{id_column} is not 1 to 64 of a-z, 0-9 and '-'"), *rules
    ]]  # fmt: skip
    judged = typed.with_columns(pl.concat_str(*unreadable, *broken, separator="; ", ignore_nulls=True).alias("reason"))
    is_good = pl.col("reason") == ""
    is_repeated = is_good & (pl.int_range(pl.len()).over(id_column, is_good) > 0)
    judged = judged.with_columns(
        pl.when(is_repeated).then(pl.lit(f"{id_column} was given before")).otherwise("reason").alias("reason")
    )
    return _split(judged.with_row_index("row"), id_column, notes)


def _split(judged: pl.DataFrame, id_column: str, notes: list[str]) -> Delivery:
    is_good = pl.col("reason") == ""
    return Delivery(
        accepted=judged.filter(is_good).drop("row", "reason"),
        rejected=judged.filter(~is_good).select("row", id_column, "reason"),
        notes=notes,
    )


def _as_type(given: pl.DataType, wanted: pl.DataType, name: str) -> pl.Expr:
    """The column in the wanted type; what cannot be read as such becomes null."""
    if given == pl.String() and isinstance(wanted, pl.Date | pl.Datetime):
        return pl.col(name).str.strptime(wanted, strict=False)
    return pl.col(name).cast(wanted, strict=False)


def _is_blank(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars().fill_null("") == ""
