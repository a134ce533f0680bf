"""What the player encodes, the collector's schema decodes, field by field."""

import asyncio
import math

import msgspec
import pytest
from player_sdk.testing import FakeOrigin, FakeTitle, fake_player

from playback_api.events import schema
from player_sdk import HeartbeatSettings, Link, PathwayLink
from player_sdk import heartbeat as sdk

PAIRS = [
    (sdk.Run, schema.Run),
    (sdk.Stall, schema.Stall),
    (sdk.PlaybackError, schema.PlaybackError),
    (sdk.Delivery, schema.Delivery),
    (sdk.Beat, schema.Beat),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda kind: kind.__name__)
def test_both_sides_know_the_same_fields_with_the_same_defaults(ours, theirs):
    def facts(kind):
        return {
            field.name: (field.encode_name, field.required, field.default, field.default_factory)
            for field in msgspec.structs.fields(kind)
        }

    assert facts(ours) == facts(theirs)


def test_both_sides_know_the_same_kinds_reasons_and_limits():
    assert sdk.BeatKind == schema.BeatKind
    assert sdk.EndReason == schema.EndReason
    assert sdk.HEARTBEAT_VERSION == schema.HEARTBEAT_VERSION
    assert sdk.MAX_BEATS_PER_BATCH == schema.MAX_BEATS_PER_BATCH


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_beats_of_a_stormy_session_decode_on_the_other_side(encoding):
    """Stalls, switches, failures and deliveries all occur in it."""
    posted: list[sdk.Beat] = []

    async def play():
        down = {"edge-1.test": PathwayLink(outages=((50.0, 1e6),), connect_timeout_s=2.0)}
        origin = FakeOrigin([FakeTitle(duration_s=120.0)])
        link = Link([(15.0, 6e6), (25.0, 1e5)], latency_s=0.1)
        beats = HeartbeatSettings(max_delay_s=math.inf)
        async with fake_player(origin, link=link, pathways=down, beats=beats) as player:
            session = await player.play("film", impression_id="imp-1")
            await session.watch()
        posted.extend(origin.beats)

    asyncio.run(play())
    assert any(beat.stalls for beat in posted)
    assert any(beat.errors for beat in posted)
    assert any(beat.switches for beat in posted)
    body, content_type = sdk.encode_batch(posted, encoding)
    module = msgspec.json if encoding == "json" else msgspec.msgpack
    assert content_type == f"application/{encoding}"
    batch = module.decode(body, type=schema.BeatBatch)
    assert batch.version == schema.HEARTBEAT_VERSION
    decoded = [module.decode(raw, type=schema.Beat) for raw in batch.beats]
    assert [msgspec.convert(msgspec.to_builtins(beat), sdk.Beat) for beat in decoded] == posted
