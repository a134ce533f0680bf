"""The lake keeps every field of an event, under its own name, in the words that docs/contracts.md uses."""

import pytest

from orchestration.resources.warehouse import Warehouse
from playback_api.events import Beat, Delivery, Impression, ImpressionItem, PlaybackError, Run, Stall

ADDED_TO_BEATS = ["event_day", "received_at", "writer", "segment", "record_offset"]
ADDED_TO_IMPRESSIONS = ["event_day", "writer", "segment", "record_offset"]


@pytest.fixture(scope="module")
def schema_of(tmp_path_factory):
    warehouse = Warehouse(lake_folder=str(tmp_path_factory.mktemp("lake")))
    return lambda table: warehouse.read(table).schema


def test_heartbeats_have_every_field_of_a_beat_and_no_other(schema_of):
    assert sorted(schema_of("raw.heartbeats")) == sorted([*Beat.__struct_fields__, *ADDED_TO_BEATS])


@pytest.mark.parametrize(
    ("column", "struct"), [("runs", Run), ("stalls", Stall), ("errors", PlaybackError), ("deliveries", Delivery)]
)
def test_lists_of_a_beat_have_every_field_of_their_items(schema_of, column, struct):
    fields = schema_of("raw.heartbeats")[column].inner.fields

    assert sorted(field.name for field in fields) == sorted(struct.__struct_fields__)


def test_impressions_have_every_field_of_the_page_and_of_the_item(schema_of):
    of_the_page = [name for name in Impression.__struct_fields__ if name != "items"]

    assert sorted(schema_of("raw.impressions")) == sorted(
        [*of_the_page, *ImpressionItem.__struct_fields__, *ADDED_TO_IMPRESSIONS]
    )
