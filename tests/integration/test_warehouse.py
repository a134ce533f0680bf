"""The dbt project on a real lake: an empty world builds, days build, late beats are counted, contracts hold.

The world has three sessions of two viewers; dbt runs three times, in this process, and all tests look at what it left.
"""

import asyncio
import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import polars as pl
import pytest
from dbt.cli.main import dbtRunner
from player_sdk.testing import FakeOrigin, FakeTitle, fake_player

from orchestration.defs.warehouse.project import PROJECT_FOLDER, environment_variables
from orchestration.resources.warehouse import Warehouse
from playback_api.events import (
    Beat,
    Delivery,
    Exposure,
    Impression,
    ImpressionItem,
    RecordKind,
    Run,
    SegmentLogReader,
    SegmentLogWriter,
    Stall,
    encode_beats,
    encode_impression,
)
from player_sdk import Link, SegmentDownloaded, VirtualClock

FIRST = dt.date(2026, 9, 1)
SECOND = dt.date(2026, 9, 2)
THIRD = dt.date(2026, 9, 3)
SERVING = (
    "srv_titles", "srv_rungs", "srv_viewers", "srv_viewing", "srv_demand_daily", "srv_popularity", "srv_objects",
    "srv_object_files", "srv_rung_mix", "srv_requests", "srv_qoe_daily", "srv_acquisition", "srv_main_rows",
    "srv_unanswered",
)  # fmt: skip


@dataclass
class World:
    """A lake, its event log and what was seen of the tables after each build."""

    folder: Path
    warehouse: Warehouse
    manifest: object
    empty_rows: dict[str, int]
    unit_tests: int
    first: dict[str, pl.DataFrame]
    late: dict[str, pl.DataFrame]


def at(day, hour, minute=0):
    return dt.datetime(2026, 9, day, hour, minute, tzinfo=dt.UTC)


NOON = at(2, 12)


def beat(session, seq, sent_at, **fields):
    known = {"kind": "playing", "viewer_id": "v-1", "title_id": "s-1", "region": "eu-north", "device": "mobile"}
    return Beat(session_id=session, boot=0, seq=seq, sent_at=sent_at, duration_s=100.0, **{**known, **fields})


def played(seconds, rung="720p", **delivered):
    run = Run(position_s=0, played_s=seconds, rung=rung, bitrate_bps=2_000_000, pathway="eu-north-1")
    return {"runs": [run], "deliveries": [Delivery(pathway="eu-north-1", **delivered)] if delivered else []}


EVENING = [
    beat("evening", 0, at(1, 23, 59), startup_s=0.5, impression_id="i-1", **played(30, requests=10, requests_placed=5)),
    beat("evening", 1, at(2, 0, 1), end_reason="stopped", stalls=[Stall(position_s=40, duration_s=10)], **played(60)),
]
MORNING = [beat("morning", 0, at(2, 8), startup_s=1.5, viewer_id="v-2", **played(10, "240p"), end_reason="stopped")]
GAVE_UP = [beat("gave-up", 0, at(2, 9), end_reason="abandoned", title_id="s-2")]
# Its clock runs more than an hour ahead, so it counts for the day of its arrival; it was sent again after midnight.
AHEAD = beat("evening", 2, at(2, 0, 50))
AHEAD_ARRIVALS = [at(1, 23, 40), at(2, 0, 5)]
LATE = [
    beat("late", 0, at(1, 12), startup_s=0.2, title_id="bare-master", **played(5), end_reason="stopped"),
    # Of a session that stands on the day after the rebuilt ones: it gets no second row.
    beat("morning", 1, at(1, 13), viewer_id="v-2"),
]


def store(log, *batches, received_at=NOON):
    for batch in batches:
        log.append(RecordKind.BEATS, encode_beats(batch, received_at))
    log.commit()


def deliver_catalogue(warehouse):
    titles = pl.DataFrame(
        {"title_id": ["s-1", "s-2"], "name": ["One", "Two"], "genres": [["drama"], ["drama", "comedy"]]}
    )
    fill(warehouse, "titles", titles)
    fill(warehouse, "viewers", pl.DataFrame({"viewer_id": ["v-1"], "region_id": ["eu-north"], "age_band": ["25-34"]}))
    package = {
        "package_id": "p",
        "hls_key": "p/p/master.m3u8",
        "duration_s": 100.0,
        "created_at": dt.datetime(2026, 9, 1),
    }
    fill(warehouse, "packages", pl.DataFrame([{"title_id": name, **package} for name in ("s-1", "bare-master")]))
    objects = [
        {"title_id": "s-1", "package_id": "p", "key": f"r/x/{number}.m4s", "rung": "720p", "segment_group": number // 2,
         "size_bytes": 10, "sha256": "ab"}
        for number in range(4)
    ]  # fmt: skip
    fill(warehouse, "media_objects", pl.DataFrame(objects))


def fill(warehouse, table, frame):
    """Replace a raw table by a frame that leaves columns out."""
    columns = warehouse.read(f"raw.{table}").schema
    warehouse.replace_raw(table, frame.with_columns(pl.lit(None).alias(name) for name in columns if name not in frame))


def run_dbt(warehouse, target, *arguments, manifest=None):
    """Run dbt in this process. A parsed project can be handed on, so that the next run need not read it again."""
    command = [
        "--quiet", *arguments, "--project-dir", str(PROJECT_FOLDER), "--profiles-dir", str(PROJECT_FOLDER),
        "--target-path", str(target), "--log-path", str(target),
    ]  # fmt: skip
    with environment_variables(warehouse.prepare().environment):
        return dbtRunner(manifest=manifest).invoke(command)


def build(warehouse, target, manifest, *arguments):
    """``dbt build``; returns what became of every node."""
    done = run_dbt(warehouse, target, "build", *arguments, manifest=manifest)
    failures = [f"{item.node.name}: {item.message}" for item in done.result or [] if item.status in ("error", "fail")]
    assert done.success, failures or done.exception
    return done.result.results


def days(first, last):
    return ["--vars", json.dumps({"first_event_day": first.isoformat(), "last_event_day": last.isoformat()})]


def look(warehouse):
    return {name: warehouse.read(f"serving.{name}") for name in SERVING} | {
        name: warehouse.read(f"marts.{name}")
        for name in ("fct_sessions", "fct_impressions", "fct_pathway_day", "fct_experiment_viewers")
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    warehouse = Warehouse(lake_folder=str(folder / "lake"))
    log = SegmentLogWriter(folder / "events", "collector")
    reader = SegmentLogReader(folder / "events")

    parsed = run_dbt(warehouse, folder / "target", "parse").result
    empty = build(warehouse, folder / "target", parsed)
    empty_rows = {name: frame.height for name, frame in look(warehouse).items()}

    deliver_catalogue(warehouse)
    store(log, EVENING, MORNING, GAVE_UP, EVENING)
    store(log, [AHEAD], received_at=AHEAD_ARRIVALS[0])
    page = Impression(
        impression_id="i-1", viewer_id="v-1", region="eu-north", shown_at=at(1, 23, 58), snapshot_id="s",
        model_version="1", exposures=[Exposure(experiment_id="less-exploration", arm="twentieth")],
        items=[ImpressionItem(title_id=name, row="top", position=0, propensity=1.0) for name in ("s-1", "s-2")],
    )  # fmt: skip
    log.append(RecordKind.IMPRESSION, encode_impression(page))
    log.commit()
    warehouse.ingest_events(reader)
    build(warehouse, folder / "target", parsed, "--exclude-resource-type", "unit_test", *days(FIRST, SECOND))
    first = look(warehouse)

    store(log, LATE)
    store(log, [AHEAD], received_at=AHEAD_ARRIVALS[1])
    warehouse.ingest_events(reader)
    build(
        warehouse,
        folder / "target",
        parsed,
        "--resource-type",
        "model",
        "--select",
        "tag:event_day+",
        *days(FIRST, FIRST),
    )
    log.close()
    return World(
        folder=folder,
        warehouse=warehouse,
        manifest=parsed,
        empty_rows=empty_rows,
        unit_tests=sum(item.node.resource_type == "unit_test" and item.status == "pass" for item in empty),
        first=first,
        late=look(warehouse),
    )


def test_an_empty_world_builds_and_the_unit_tests_pass(world):
    assert set(world.empty_rows.values()) == {0}
    assert world.unit_tests == 14


def test_a_session_over_midnight_is_one_session_of_its_first_day(world):
    sessions = {row["session_id"]: row for row in world.first["fct_sessions"].to_dicts()}

    assert sorted(sessions) == ["evening", "gave-up", "morning"]
    evening = sessions["evening"]
    assert (evening["event_day"], evening["beats"], evening["seconds_watched"]) == (FIRST, 3, 90.0)
    assert evening["rebuffer_ratio"] == pytest.approx(0.1)
    assert evening["completion"] == pytest.approx(0.9)
    assert sessions["gave-up"]["outcome"] == "exited_before_start"


def test_demand_is_by_title_region_and_day(world):
    demand = world.first["srv_demand_daily"].sort("event_day").to_dicts()

    assert [(row["title_id"], row["event_day"], row["sessions"]) for row in demand] == [
        ("s-1", FIRST, 1),
        ("s-1", SECOND, 1),
    ]


def test_late_beats_are_counted_on_their_day_and_nothing_else_changes(world):
    before, after = world.first["fct_sessions"], world.late["fct_sessions"]

    assert sorted(after["session_id"]) == ["evening", "gave-up", "late", "morning"]
    unchanged = after.filter(pl.col("session_id") != "late").sort("session_id")
    assert unchanged.equals(before.sort("session_id"))
    demand = world.late["srv_demand_daily"].filter(event_day=FIRST).sort("title_id")
    assert demand["title_id"].to_list() == ["bare-master", "s-1"]


def test_a_beat_that_was_counted_on_arrival_is_not_counted_again_after_midnight(world):
    of_the_session = {"session_id": "evening", "seq": AHEAD.seq}
    raw = world.warehouse.read("raw.heartbeats").filter(**of_the_session)
    beats = world.warehouse.read("staging.stg_events__heartbeats").filter(**of_the_session)
    keys = world.warehouse.read("staging.stg_events__heartbeats_counted_on_arrival")

    assert sorted(raw["event_day"]) == [FIRST, SECOND]
    assert beats.select("event_day", "received_at").rows() == [(FIRST, AHEAD_ARRIVALS[0].replace(tzinfo=None))]
    # Both builds kept it, each in the place of what stood there.
    assert keys.rows() == [("evening", 0, AHEAD.seq, FIRST)]


def test_quality_of_a_region_and_day(world):
    (second,) = world.first["srv_qoe_daily"].filter(event_day=SECOND).to_dicts()
    (first,) = world.first["srv_qoe_daily"].filter(event_day=FIRST).to_dicts()

    assert (second["sessions"], second["plays"], second["ebvs"], second["vsf"]) == (2, 1, 1, 0)
    assert second["startup_s_p50"] == 1.5
    assert (first["edge_hit_ratio"], first["edge_placed_ratio"]) == (0.5, 0.5)


def test_titles_come_from_the_catalogue_and_from_the_packages(world):
    titles = {row["title_id"]: row for row in world.first["srv_titles"].to_dicts()}

    assert titles["s-1"]["hls_path"] == "media/s-1/p/p/master.m3u8"
    assert titles["s-2"]["package_id"] is None
    assert (titles["bare-master"]["name"], titles["bare-master"]["genres"]) == ("Bare Master", [])
    assert titles["bare-master"]["release_date"] == FIRST


def test_popularity_has_playable_titles_by_region_and_for_all(world):
    popularity = world.late["srv_popularity"].sort("region_id", "rank")

    assert popularity.select("region_id", "title_id", "rank").rows() == [
        ("*", "s-1", 1),
        ("*", "bare-master", 2),
        ("eu-north", "s-1", 1),
        ("eu-north", "bare-master", 2),
    ]
    newest_and_a_day_before = 1 + 0.5 ** (1 / 7)
    assert popularity["score"][0] == pytest.approx(newest_and_a_day_before)


def test_viewing_knows_the_age_of_known_viewers(world):
    viewing = {row["session_id"]: row for row in world.first["srv_viewing"].to_dicts()}

    assert viewing["evening"]["age_band"] == "25-34"
    assert viewing["morning"]["age_band"] == "unknown"
    assert "gave-up" not in viewing


def test_rung_mix_and_requests(world):
    mix = {row["rung"]: row["share"] for row in world.first["srv_rung_mix"].to_dicts()}

    assert mix == {"720p": pytest.approx(0.9), "240p": pytest.approx(0.1)}
    assert dict(world.first["srv_requests"].select("session_id", "rung").rows()) == {
        "evening": "720p",
        "morning": "240p",
    }


def test_objects_are_added_up_by_segment_group(world):
    rows = (
        world.first["srv_objects"].sort("segment_group").select("rung", "segment_group", "size_bytes", "object_count")
    )

    assert rows.rows() == [("720p", 0, 20, 2), ("720p", 1, 20, 2)]
    assert world.first["srv_object_files"].height == 4


def test_acquisition_counts_a_title_in_each_of_its_genres(world):
    rows = {(row["genre"], row["region_id"]): row for row in world.first["srv_acquisition"].to_dicts()}

    assert len(rows) == 2 * 3
    assert (rows["drama", "eu-north"]["titles"], rows["drama", "eu-north"]["sessions"]) == (2, 2)
    assert rows["drama", "eu-north"]["sessions_per_title"] == 1.0
    assert (rows["comedy", "ap-south"]["titles"], rows["comedy", "ap-south"]["sessions"]) == (1, 0)


def test_impressions_know_what_came_of_them(world):
    shown = world.first["fct_impressions"].sort("title_id").select("title_id", "is_played", "seconds_watched")

    assert shown.rows() == [("s-1", True, 90.0), ("s-2", False, 0.0)]


def test_an_exposure_makes_a_viewer_of_an_experiment(world):
    (viewer,) = world.first["fct_experiment_viewers"].to_dicts()

    assert (viewer["experiment_id"], viewer["viewer_id"], viewer["arm"]) == ("less-exploration", "v-1", "twentieth")
    assert (viewer["plays"], viewer["watch_hours"], viewer["is_complete"]) == (1, 90 / 3600, False)


def test_deliveries_by_pathway(world):
    (row,) = world.first["fct_pathway_day"].to_dicts()

    assert (row["pathway_id"], row["requests"], row["requests_placed"]) == ("eu-north-1", 10, 5)


def watch(session_id, *, link, fault=None, patience_s=None, seek_s=None):
    """A session of the real player on the third day; its report, and the beats that the collector took."""
    origin = FakeOrigin([FakeTitle(duration_s=90.0)], plan={"session_id": session_id}, fault=fault)

    async def run():
        async with fake_player(origin, link=link, clock=VirtualClock(at(3, 20))) as player:
            session = await player.play("film")
            async for event in session.events(patience_s=patience_s):
                if seek_s is not None and isinstance(event, SegmentDownloaded) and event.index == 3:
                    session.pause(5.0)
                    session.seek(seek_s)
                    session.add_dropped_frames(7)
            return session.report

    report = asyncio.run(run())
    return report, [msgspec.convert(msgspec.to_builtins(beat), Beat) for beat in origin.beats]


@pytest.fixture(scope="module")
def watched(world):
    """Reports of the player, and the rows that the marts made of the same sessions' beats."""

    def no_media(request):
        return httpx.Response(503) if "/media/" in request.url.path else None

    played = [
        watch("smooth", link=Link.constant(8e6, latency_s=0.05)),
        watch("stormy", link=Link([(15.0, 6e6), (25.0, 1e5)], latency_s=0.1)),
        watch("paused-and-sought", link=Link([(10.0, 3e6), (5.0, 3e5)]), seek_s=60.0),
        watch("impatient", link=Link.constant(2e3, latency_s=1.0), patience_s=3.0),
        watch("broken", link=Link.constant(8e6), fault=no_media),
    ]
    log = SegmentLogWriter(world.folder / "events", "another-collector")
    store(log, *(beats for _, beats in played), received_at=at(3, 21))
    log.close()
    world.warehouse.ingest_events(SegmentLogReader(world.folder / "events"))
    wanted = ["--resource-type", "model", "--select", "+fct_sessions", *days(THIRD, THIRD)]
    build(world.warehouse, world.folder / "target", world.manifest, *wanted)
    rows = world.warehouse.read("marts.fct_sessions").filter(event_day=THIRD)
    return {report.session_id: report for report, _ in played}, {row["session_id"]: row for row in rows.to_dicts()}


def test_quality_of_experience_is_the_same_by_the_player_and_by_the_marts(watched):
    reports, rows = watched
    assert sorted(rows) == sorted(reports)
    pairs = {
        "startup_s": "startup_s", "seconds_watched": "played_s", "stall_s": "rebuffer_s", "stall_count": "stalls",
        "rebuffer_ratio": "rebuffer_ratio", "mean_bitrate_bps": "mean_bitrate_bps", "switches": "switches",
        "dropped_frames": "dropped_frames",
        "delivered_bytes": "size_bytes", "delivered_bytes_placed": "size_bytes_placed",
        "delivered_bytes_cached": "size_bytes_cached", "end_reason": "end_reason",
    }  # fmt: skip
    for session_id, report in reports.items():
        marts = [rows[session_id][column] or 0 for column in pairs]
        player = [getattr(report, field) or 0 for field in pairs.values()]
        assert marts == [pytest.approx(value) if isinstance(value, float) else value for value in player], session_id
        assert rows[session_id]["error_count"] == report.error_count
    assert {session_id: row["outcome"] for session_id, row in rows.items()} == {
        "smooth": "played",
        "stormy": "played",
        "paused-and-sought": "played",
        "impatient": "exited_before_start",
        "broken": "failed_to_start",
    }
    assert reports["stormy"].stalls > 0
    assert reports["stormy"].switches > 0
    assert reports["paused-and-sought"].dropped_frames > 0
