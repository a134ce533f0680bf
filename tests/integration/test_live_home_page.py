"""From a viewer's beats to the viewer's home page: collector, event log, live profile, published model, control API."""

import asyncio

import httpx
import pytest
from litestar.testing import AsyncTestClient

from ml.recommender.testing import publish_two_camps
from playback_api.collector import create_collector_app
from playback_api.control import ControlPorts, create_control_app
from playback_api.events import SegmentLogReader, decode_record
from playback_api.settings import CollectorSettings, ControlSettings
from playback_api.snapshot.testing import NOON, make_content, publish_content

TITLES = 60
POLLS = 6_000
POLL_INTERVAL_S = 0.01


async def nobody(request):
    raise httpx.ConnectError("no edge is up", request=request)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return publish_two_camps(tmp_path_factory.mktemp("published") / "model", titles=TITLES)


@pytest.fixture
def event_log_folder(tmp_path):
    return tmp_path / "events"


@pytest.fixture
async def control(tmp_path, event_log_folder, model):
    store = tmp_path / "store"
    publish_content(store, make_content(title_count=TITLES - 1, recommender_folder=model))
    settings = ControlSettings(
        store_folder=store,
        profile_path=tmp_path / "profile.sqlite",
        event_log_folder=event_log_folder,
        secret="secret",
    )
    ports = ControlPorts(clock=lambda: NOON, edge_transport=httpx.MockTransport(nobody))
    async with AsyncTestClient(create_control_app(settings, ports)) as client:
        yield client


@pytest.fixture
async def collector(tmp_path, event_log_folder):
    settings = CollectorSettings(event_log_folder=event_log_folder, profile_path=tmp_path / "profile.sqlite")
    async with AsyncTestClient(create_collector_app(settings, clock=lambda: NOON)) as client:
        yield client


async def rows_of(control, viewer_id):
    """The rows of the page by their ids."""
    answer = await control.get("/v1/home", params={"viewer_id": viewer_id, "region_id": "north"})
    assert answer.status_code == 200, answer.text
    return {row["row_id"]: row["titles"] for row in answer.json()["rows"]}


async def rows_once(control, viewer_id, condition):
    for _ in range(POLLS):
        rows = await rows_of(control, viewer_id)
        if condition(rows):
            return rows
        await asyncio.sleep(POLL_INTERVAL_S)
    raise AssertionError(f"the page of {viewer_id} does not change: {rows}")


async def watch(collector, viewer_id, *title_ids, share):
    """One batch with a beat from that far in each title."""
    beats = []
    for title_id in title_ids:
        duration_s = 60.0 + number_of(title_id)
        beat = {
            "session_id": f"{viewer_id}-{title_id}", "boot": 0, "seq": 1, "sent_at": NOON.isoformat(),
            "kind": "playing", "viewer_id": viewer_id, "title_id": title_id, "region": "north",
            "duration_s": duration_s, "position_s": share * duration_s,
        }  # fmt: skip
        beats.append(beat)
    answer = await collector.post("/v1/beats", json={"version": 1, "beats": beats})
    assert (answer.status_code, answer.json()["accepted"]) == (202, len(title_ids))


def number_of(title_id):
    return int(title_id.removeprefix("s-"))


def title_ids(placed):
    return [item["title"]["title_id"] for item in placed]


def is_even(title_id):
    return number_of(title_id) % 2 == 0


def causes(placed):
    return {item["because_title_id"] for item in placed}


async def test_the_minutes_of_a_viewer_of_whom_nothing_was_known_make_the_page(control, collector, event_log_folder):
    before = await rows_of(control, "v-unheard-of")
    assert "top-picks" not in before
    assert await rows_of(control, "v-unheard-of") == before, "nothing moves a page but what is watched"
    other = await rows_of(control, "v-001")

    await watch(collector, "v-unheard-of", "s-0008", share=0.5)
    after = await rows_once(control, "v-unheard-of", lambda rows: "top-picks" in rows)
    (resumed,) = after["continue-watching"]
    assert (resumed["title"]["title_id"], resumed["resume_position_s"]) == ("s-0008", 34.0)
    first = after["top-picks"][:5]
    assert all(is_even(title_id) for title_id in title_ids(first)), "those who watched it watch even titles"
    assert first[0]["because_title_id"] == "s-0008"
    assert first[0]["reason"] == "Because you watched The Hidden Harbour 8"

    assert await rows_of(control, "v-001") == other, "and nobody else's page"
    (record,) = [decode_record(record) for record, _ in SegmentLogReader(event_log_folder).read("collector-0", 1)]
    assert [beat.title_id for beat in record.beats] == ["s-0008"], "training will see the same"


async def test_what_training_knew_of_a_viewer_moves_with_what_is_watched_now(control, collector):
    before = await rows_of(control, "v-001")
    assert 'home_pages_total{source="model",titles="stored"} 1' in (await control.get("/metrics")).text
    assert await rows_of(control, "v-001") == before

    watched = {"s-0002", "s-0004", "s-0006"}
    await watch(collector, "v-001", *watched, share=1.0)
    after = await rows_once(control, "v-001", lambda rows: watched & causes(rows["top-picks"]))
    assert not watched & causes(before["top-picks"])
    evens_before, evens = (sum(map(is_even, title_ids(rows["top-picks"])[:10])) for rows in (before, after))
    assert evens > evens_before, "what those watch who watched these"
    assert watched.isdisjoint(title_id for row in after.values() for title_id in title_ids(row))
    assert 'home_pages_total{source="model",titles="computed"}' in (await control.get("/metrics")).text


async def test_a_look_of_a_few_seconds_is_offered_again_but_tells_no_taste(control, collector):
    before = await rows_of(control, "v-unheard-of")
    await watch(collector, "v-unheard-of", "s-0008", share=0.02)
    after = await rows_once(control, "v-unheard-of", lambda rows: "continue-watching" in rows)
    assert title_ids(after["continue-watching"]) == ["s-0008"]
    assert "top-picks" not in before | after
