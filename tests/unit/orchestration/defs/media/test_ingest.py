from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from orchestration import partitions
from orchestration.defs.media import build_defs, landing
from orchestration.defs.media.landing import SETTLED_S, Asked, LandingCursor, settle
from orchestration.media import title_package
from orchestration.media.publish import current_packages, read_current_package
from orchestration.media.quarantine import list_quarantine
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings
from orchestration.store import LocalStore

JOB = dg.define_asset_job(
    "ingest_title", dg.AssetSelection.groups("media") - dg.AssetSelection.assets(["media", "shared_titles"])
)


@pytest.fixture
def store(settings: Settings) -> LocalStore:
    return LocalStore(settings.store_folder)


@pytest.fixture
def definitions(settings: Settings) -> dg.Definitions:
    resources = {
        "storage": MediaStorage(root=str(settings.store_folder)),
        "media_tools": MediaTools(ladder="fixed", quality_frames=0, preset="ultrafast", max_rungs=1, threads=1),
    }
    return dg.Definitions.merge(build_defs(settings), dg.Definitions(resources=resources, jobs=[JOB]))


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def ingest(
    definitions: dg.Definitions, instance: dg.DagsterInstance, title_id: str, *names: str
) -> dg.ExecuteInProcessResult:
    """Everything that is made of a title, or the assets of these names alone."""
    instance.add_dynamic_partitions(partitions.title.name, [title_id])
    return definitions.resolve_job_def("ingest_title").execute_in_process(
        instance=instance,
        partition_key=title_id,
        raise_on_error=False,
        asset_selection=[dg.AssetKey(["media", name]) for name in names] or None,
    )


def metadata_of(result: dg.ExecuteInProcessResult, name: str) -> dict:
    [event] = [event for event in result.get_asset_materialization_events() if event.asset_key.path[-1] == name]
    return dict(event.materialization.metadata)


def test_a_master_becomes_a_served_package(make_film, definitions, instance, settings, store) -> None:
    make_film(settings.masters_folder / "A Film.mp4")
    result = ingest(definitions, instance, "a-film")
    assert result.success
    assert read_current_package(store, "a-film").title_id == "a-film"
    evaluations = {item.check_name: item.passed for item in result.get_asset_check_evaluations()}
    assert evaluations["conforms"]
    assert all(evaluations.values())
    assert "| 240p | 160x120 |" in metadata_of(result, "ladder")["ladder"].value
    assert metadata_of(result, "renditions")["encode_cpu_s"].value > 0
    assert "data:image/jpeg;base64," in metadata_of(result, "artwork")["thumbnails"].value


def test_running_it_again_encodes_nothing(make_film, definitions, instance, settings) -> None:
    make_film(settings.masters_folder / "film.mp4")
    assert ingest(definitions, instance, "film").success
    again = ingest(definitions, instance, "film")
    assert again.success
    assert metadata_of(again, "renditions")["encoded_rungs"].value == 0
    assert metadata_of(again, "artwork")["drawn"].value is False


def test_a_title_that_is_served_with_its_storyboard_is_not_packaged_anew(
    make_film, definitions, instance, settings, store, monkeypatch
) -> None:
    make_film(settings.masters_folder / "film.mp4")
    first = ingest(definitions, instance, "film")
    assert metadata_of(first, "storyboard")["drawn"].value is True
    served = read_current_package(store, "film")
    assert served.has_storyboard

    def refuse(*_args: object, **_more: object) -> None:
        raise AssertionError("there is nothing to package")

    monkeypatch.setattr(title_package, "build_package", refuse)
    again = ingest(definitions, instance, "film", "storyboard")
    assert again.success
    assert [(item.check_name, item.passed) for item in again.get_asset_check_evaluations()] == [("conforms", True)]
    assert metadata_of(again, "storyboard")["package_id"].value == served.package_id


def test_a_package_with_a_storyboard_that_does_not_conform_fails_and_is_not_served(
    make_film, definitions, instance, settings, store
) -> None:
    make_film(settings.masters_folder / "film.mp4")
    made = ("probe", "ladder", "renditions", "artwork", "sidecars", "package")
    assert ingest(definitions, instance, "film", "first_rung", *made).success
    served = read_current_package(store, "film")
    segment = next(item.key for item in served.objects if item.rung == "audio-und" and item.key.endswith(".m4s"))
    store.put_bytes(f"media/film/{segment}", b"broken", replace=True)
    broken = ingest(definitions, instance, "film", "storyboard")
    assert not broken.success
    [evaluation] = broken.get_asset_check_evaluations()
    assert not evaluation.passed
    assert read_current_package(store, "film") == served


def test_a_refused_master_fails_its_own_run_and_says_why(make_film, definitions, instance, settings, store) -> None:
    (settings.masters_folder / "bad.mp4").write_text("no film")
    make_film(settings.masters_folder / "good.mp4")
    bad = ingest(definitions, instance, "bad")
    assert not bad.success
    [failure] = [event for event in bad.all_events if event.is_step_failure]
    assert "not a media container" in failure.step_failure_data.user_failure_data.description
    assert [report.title_id for report in list_quarantine(settings.quarantine_folder)] == ["bad"]
    assert ingest(definitions, instance, "good").success
    assert [record.title_id for record in current_packages(store)] == ["good"]


def test_shared_titles_get_packages_and_missing_sources_are_listed(
    make_film, definitions, instance, settings, store
) -> None:
    make_film(settings.masters_folder / "film.mp4")
    ingest(definitions, instance, "film")
    settings.catalogue_drop_folder.mkdir()
    pl.DataFrame(
        {"title_id": ["film", "s-0001", "s-0002", "s-0003"], "media_title_id": [None, "film", "gone", "film"]}
    ).write_parquet(settings.catalogue_drop_folder / "titles.parquet")
    assets = [
        item
        for item in definitions.assets
        if isinstance(item, dg.AssetsDefinition) and item.key.path[-1] == "shared_titles"
    ]
    result = dg.materialize(assets, resources=definitions.resources, instance=instance)
    assert metadata_of(result, "shared_titles")["linked"].value == 2
    [evaluation] = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert "s-0002" in evaluation.metadata["failed"].value
    assert [record.title_id for record in current_packages(store)] == ["film", "s-0001", "s-0003"]


def look(definitions: dg.Definitions, instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    sensor = definitions.resolve_sensor_def("master_landed")
    return sensor(
        dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"storage": definitions.resources["storage"]}
        )
    )


def age(path: Path, seconds: float) -> None:
    moment = path.stat().st_mtime - seconds
    os.utime(path, (moment, moment))


def test_a_settled_file_is_requested_once_and_an_ingested_one_never(make_film, definitions, instance, settings) -> None:
    (settings.masters_folder / "README.md").write_text("about these films")
    film = make_film(settings.masters_folder / "My Film.mp4")
    (settings.masters_folder / "text.mp4").write_text("not a film, but it says so")
    first = look(definitions, instance, None)
    assert first.run_requests == []
    second = look(definitions, instance, first.cursor)
    assert {request.partition_key for request in second.run_requests} == {"my-film", "text"}
    [added] = second.dynamic_partitions_requests
    assert sorted(added.partition_keys) == ["my-film", "text"]
    assert look(definitions, instance, second.cursor).run_requests == []

    ingest(definitions, instance, "my-film")
    ingest(definitions, instance, "text")
    assert look(definitions, instance, json.dumps({"seen": json.loads(second.cursor)["seen"]})).run_requests == []

    film.write_bytes(film.read_bytes() + b"more")
    age(film, SETTLED_S + 10)
    changed = look(definitions, instance, second.cursor)
    assert [request.partition_key for request in changed.run_requests] == ["my-film"]
    assert changed.run_requests[0].run_key not in {request.run_key for request in second.run_requests}


def test_a_name_that_is_no_utf_8_or_a_damaged_cursor_stops_no_title(make_film, definitions, instance, settings) -> None:
    odd = make_film(settings.masters_folder / "odd.mp4").rename(settings.masters_folder / os.fsdecode(b"caf\xe9.mp4"))
    odd.with_suffix(".en.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    make_film(settings.masters_folder / "film.mp4")
    first = look(definitions, instance, '{"asked": {"film": {}}}')
    second = look(definitions, instance, first.cursor)
    assert {request.partition_key for request in second.run_requests} == {"caf", "film"}
    assert not ingest(definitions, instance, "caf").success
    [refusal] = list_quarantine(settings.quarantine_folder)
    assert (refusal.file, refusal.reasons) == (r"caf\xe9.mp4", ["the file's name is not UTF-8"])
    third = look(definitions, instance, None)
    assert [request.partition_key for request in look(definitions, instance, third.cursor).run_requests] == ["film"]


def test_a_file_is_not_asked_for_beside_a_run_of_its_title(make_film, definitions, instance, settings) -> None:
    """Such as one that the sensor asked for before a share was away for a moment, or one launched from the graph."""
    make_film(settings.masters_folder / "film.mp4")
    seen = look(definitions, instance, None).cursor
    job, tags = definitions.resolve_job_def("ingest_title"), {"dagster/partition": "film"}
    run = instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    assert look(definitions, instance, seen).run_requests == []
    instance.report_run_canceled(run)
    assert [request.partition_key for request in look(definitions, instance, seen).run_requests] == ["film"]


def test_a_file_whose_run_failed_is_asked_for_again_until_it_is_given_up(
    make_film, definitions, instance, settings, store, monkeypatch
) -> None:
    make_film(settings.masters_folder / "film.mp4")
    settings.work_folder.write_text("in the way: no scratch space, as on a full disk")
    tick = look(definitions, instance, look(definitions, instance, None).cursor)
    run_keys = [request.run_key for request in tick.run_requests]
    assert look(definitions, instance, tick.cursor).run_requests == [], "its run has not begun"
    assert not ingest(definitions, instance, "film").success
    tick = look(definitions, instance, tick.cursor)
    assert tick.run_requests == [], "the failure is only a moment old"

    monkeypatch.setattr(landing, "RETRY_AFTER_S", (0.0, 0.0))
    for _ in range(2):
        tick = look(definitions, instance, tick.cursor)
        assert [request.partition_key for request in tick.run_requests] == ["film"]
        run_keys += [request.run_key for request in tick.run_requests]
        assert not ingest(definitions, instance, "film").success
    assert len(set(run_keys)) == 3, "Dagster would drop a key that had a run"
    tick = look(definitions, instance, tick.cursor)
    assert tick.run_requests == []
    assert "given up after 3 failed runs: film" in tick.skip_reason.skip_message

    settings.work_folder.unlink()
    assert ingest(definitions, instance, "film").success, "launched by hand"
    tick = look(definitions, instance, tick.cursor)
    assert tick.run_requests == []
    assert "given up" not in tick.skip_reason.skip_message


def test_a_new_asking_after_failures_starts_to_count_anew(make_film, definitions, instance, settings) -> None:
    film = make_film(settings.masters_folder / "film.mp4")
    age(film, SETTLED_S + 10)
    settings.work_folder.write_text("in the way")
    [first] = look(definitions, instance, None).run_requests
    assert not ingest(definitions, instance, "film").success
    forgotten = look(definitions, instance, None)
    [again] = forgotten.run_requests
    assert again.partition_key == first.partition_key
    assert look(definitions, instance, forgotten.cursor).run_requests == [], "the failed run is of an earlier asking"


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.STARTED])
def test_a_run_that_was_cancelled_or_goes_on_is_not_repeated(
    make_film, definitions, instance, settings, monkeypatch, status
) -> None:
    monkeypatch.setattr(landing, "RETRY_AFTER_S", (0.0, 0.0))
    film = make_film(settings.masters_folder / "film.mp4")
    age(film, SETTLED_S + 10)
    tick = look(definitions, instance, None)
    assert len(tick.run_requests) == 1
    instance.create_run_for_job(
        definitions.resolve_job_def("ingest_title"), status=status, tags={"dagster/partition": "film"}
    )
    assert look(definitions, instance, tick.cursor).run_requests == []


def test_a_growing_file_is_left_alone(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"first")
    now_s = film.stat().st_mtime + 1
    _, cursor = settle({"film": film}, LandingCursor(), now_s)
    film.write_bytes(b"first and second")
    landed, cursor = settle({"film": film}, cursor, now_s + 1)
    assert landed == {}
    landed, cursor = settle({"film": film}, cursor, now_s + 2)
    assert list(landed) == ["film"]


def test_a_new_or_changed_sidecar_asks_for_its_title_again(tmp_path: Path) -> None:
    film, captions = tmp_path / "film.mp4", tmp_path / "film.en.srt"
    film.write_bytes(b"film")
    later_s = film.stat().st_mtime + SETTLED_S + 1
    landed, cursor = settle({"film": film}, LandingCursor(), later_s)
    done = Asked(fingerprint=landed["film"].fingerprint, attempt=1, asked_at_s=later_s, done=True)
    cursor = LandingCursor(seen=cursor.seen, asked={"film": done})
    landed, cursor = settle({"film": film}, cursor, later_s)
    assert landed == {}
    for text in ("one", "other"):
        captions.write_text(text)
        now_s = captions.stat().st_mtime + 1
        landed, cursor = settle({"film": film}, cursor, now_s)
        assert landed == {}, "it may still be written"
        landed, cursor = settle({"film": film}, cursor, now_s + 1)
        assert list(landed) == ["film"]
    assert cursor.asked == {}


def test_a_look_at_many_masters_lists_their_folder_no_more_often_than_one_at_a_few(
    definitions, instance, settings, monkeypatch
) -> None:
    listings: list[Path] = []
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: listings.append(self) or listed(self))
    counts = []
    for number in range(1, 21):
        film = settings.masters_folder / f"film-{number}.mp4"
        film.write_text("not a film, but it says so")
        film.with_suffix(".toml").write_text("priority = 3")
        age(film, SETTLED_S + 10)
        age(film.with_suffix(".toml"), SETTLED_S + 10)
        if number in (2, 20):
            listings.clear()
            requests = look(definitions, instance, None).run_requests
            assert [request.tags["dagster/priority"] for request in requests] == ["3"] * number
            counts.append(listings.count(settings.masters_folder))
    assert counts[0] == counts[1] == 2


def test_what_is_taken_away_is_forgotten(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"film")
    landed, cursor = settle({"film": film}, LandingCursor(), film.stat().st_mtime + SETTLED_S + 1)
    assert list(landed) == ["film"]
    _, cursor = settle({}, cursor, dt.datetime.now(dt.UTC).timestamp())
    assert cursor == LandingCursor()


def test_every_asset_says_whose_it_is_and_what_it_means(definitions) -> None:
    specs = [spec for item in definitions.assets for spec in item.specs]
    assert {"/".join(spec.key.path) for spec in specs} == {
        "media/probe", "media/ladder", "media/renditions", "media/package", "media/artwork", "media/shared_titles",
        "media/first_rung", "media/storyboard", "media/quality", "media/sidecars", "ops/media_retention",
    }  # fmt: skip
    for spec in specs:
        assert spec.group_name == spec.key.path[0]
        assert spec.owners
        assert len(spec.kinds) <= 3
        assert len(spec.description) > 100
