"""The wire forms of events are pinned: a difference here is a change of contract for every client and every lake table.

To accept a meant change, run ``python tests/contract/test_heartbeat_schema.py`` and read the difference it makes.
"""

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from playback_api.events import Beat, BeatBatch, Impression, heartbeat_json_schema, impression_json_schema

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = {"heartbeat.v1.schema.json": heartbeat_json_schema, "impression.v1.schema.json": impression_json_schema}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schema_is_the_golden(name):
    assert json.loads((GOLDEN / name).read_text(encoding="utf-8")) == SCHEMAS[name]()


def golden_batch():
    return json.loads((GOLDEN / "heartbeat.v1.batch.json").read_text(encoding="utf-8"))


def test_the_golden_batch_keeps_the_schema_and_decodes():
    batch = golden_batch()
    validator = jsonschema.Draft202012Validator(heartbeat_json_schema())
    for beat in batch["beats"]:
        validator.validate(beat)

    raw = msgspec.json.decode(json.dumps(batch), type=BeatBatch)
    start, end = (msgspec.json.decode(beat, type=Beat) for beat in raw.beats)

    assert start.startup_s == 0.84
    assert end.runs[0].rung == "720p"
    assert end.end_reason == "stopped"


def test_every_field_of_a_beat_stands_in_the_golden_batch():
    seen = {name for beat in golden_batch()["beats"] for name in beat}

    assert seen == set(Beat.__struct_fields__)


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_encoded_and_decoded_a_beat_stays_the_same(encoding):
    wire = getattr(msgspec, encoding)
    for beat in msgspec.convert(golden_batch()["beats"], list[Beat]):
        assert wire.decode(wire.encode(beat), type=Beat) == beat


def test_the_golden_impression_decodes():
    content = (GOLDEN / "impression.v1.json").read_bytes()
    jsonschema.Draft202012Validator(impression_json_schema()).validate(json.loads(content))

    assert msgspec.json.decode(content, type=Impression).items[0].propensity == 0.25


if __name__ == "__main__":
    for file_name, schema in SCHEMAS.items():
        (GOLDEN / file_name).write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")
