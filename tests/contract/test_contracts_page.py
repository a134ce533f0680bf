"""`docs/contracts.md` names every column and field that the code has at its borders."""

import re
from pathlib import Path

import msgspec
import pytest
import yaml

from orchestration.resources.warehouse import RAW_TABLES, Warehouse
from playback_api.domain.playback.schemas import PlaybackSession, SessionRequest
from playback_api.domain.playback.tokens import SessionClaims
from playback_api.domain.system.schemas import ReloadReport
from playback_api.edge import EdgeInventory
from playback_api.events import Beat

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "contracts.md").read_text(encoding="utf-8")
SERVING_MODELS = sorted((PROJECT / "dbt" / "models" / "serving").glob("*.yml"))


def missing(names, text):
    """Those of the names that a text does not have as a whole word."""
    return sorted(set(names) - set(re.findall(r"\w+", text)))


def row_of(name):
    """The row of a table of the page that is about a thing."""
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1]]
    assert len(rows) == 1, f"docs/contracts.md has {len(rows)} rows about {name}"
    return rows[0]


def paragraph_with(text):
    paragraphs = [part for part in PAGE.split("\n\n") if text in part]
    assert len(paragraphs) == 1, f"docs/contracts.md has {len(paragraphs)} paragraphs with {text!r}"
    return paragraphs[0]


@pytest.fixture(scope="module")
def raw_columns(tmp_path_factory):
    warehouse = Warehouse(lake_folder=str(tmp_path_factory.mktemp("lake")))
    warehouse.prepare()
    return {table: set(warehouse.read(f"raw.{table}").columns) for table in RAW_TABLES}


def test_raw_tables(raw_columns):
    dropped = {table: row_of(f"{table}.parquet") for table in ("titles", "viewers")}
    of_a_beat = set(Beat.__struct_fields__)  # "every field of `Beat`", says the page
    gaps = {
        table: missing(
            columns - of_a_beat if table == "heartbeats" else columns, dropped.get(table) or row_of(f"raw.{table}")
        )
        for table, columns in raw_columns.items()
    }
    assert {table: names for table, names in gaps.items() if names} == {}


@pytest.mark.parametrize("model", SERVING_MODELS, ids=lambda path: path.stem)
def test_what_leaves_the_warehouse(model):
    [described] = yaml.safe_load(model.read_text(encoding="utf-8"))["models"]
    columns = {column["name"] for column in described["columns"]}
    assert missing(columns, row_of(f"serving.{described['name']}")) == []


@pytest.mark.parametrize(
    ("form", "passage"),
    [
        (SessionClaims, lambda: paragraph_with("A session's token is")),
        (PlaybackSession, lambda: row_of("POST /v1/playback/sessions")),
        (SessionRequest, lambda: row_of("POST /v1/playback/sessions") + paragraph_with("`max_age`")),
        (EdgeInventory, lambda: row_of("GET /edge/inventory")),
        (ReloadReport, lambda: row_of("/system/ready")),
    ],
    ids=lambda value: value.__name__,
)
def test_what_goes_over_the_wire(form, passage):
    assert missing((field.encode_name for field in msgspec.structs.fields(form)), passage()) == []
