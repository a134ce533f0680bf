"""The home page with a model: what is asked of it, and what happens when it has no answer."""

import dataclasses
from dataclasses import dataclass

import pytest

from playback_api.domain.counters import Counters
from playback_api.domain.home.recommender import open_recommender
from playback_api.domain.home.services import HomeService, match_percent
from playback_api.domain.served import RecommenderUnavailable, ServedSnapshots
from playback_api.profile import Preferences, ViewerProfile, WatchedTitle
from playback_api.snapshot import ArmRecord, ExperimentRecord, SnapshotReader
from playback_api.snapshot.testing import NOON, make_content, publish_content


@dataclass(frozen=True)
class Pick:
    title_id: str
    reason: str = "because-watched"
    because_title_id: str | None = "s-0009"


@dataclass(frozen=True)
class Answer:
    titles: list
    origin: str = "computed"


class Model:
    model_version = "top-n-3"

    def __init__(self, picks):
        self.picks = picks
        self.asked = []

    def recommend(self, **question):
        self.asked.append(question)
        return Answer(self.picks)

    def affinity(self, viewer_id, title_ids):
        return {"s-0002": 4.0}


WATCHED = WatchedTitle(title_id="s-0009", completion=0.8, finished=False, watched_at=NOON)


class Profiles:
    def __init__(self, recent):
        self.recent = recent

    def profile(self, viewer_id):
        return ViewerProfile(
            viewer_id=viewer_id, resume=[], recent=self.recent, watch_list=[], preferences=Preferences()
        )


class Router:
    def artwork_base_url(self, *_):
        return "http://edge.test"


class Recorder:
    def __init__(self):
        self.recorded = []

    def record(self, impression):
        self.recorded.append(impression)


async def make(tmp_path, open_recommender, experiments=(), *, folder=None, recent=(WATCHED,)):
    if folder is None:
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "index").write_bytes(b"x")
    content = dataclasses.replace(make_content(recommender_folder=folder), experiments=list(experiments))
    publish_content(tmp_path, content)
    counters, recorder = Counters(), Recorder()
    snapshots = ServedSnapshots(SnapshotReader(tmp_path), open_recommender, counters)
    await snapshots.refresh()
    service = HomeService(snapshots, Router(), Profiles(list(recent)), recorder, counters, clock=lambda: NOON)
    return service, counters, recorder


async def test_the_model_is_asked_with_the_live_profile_and_its_version_logged(tmp_path):
    model = Model([Pick("s-0002"), Pick("s-0003", "trending", None)])
    service, counters, recorder = await make(tmp_path, lambda folder: model)
    page = service.page("v-1", "north", max_age=None)

    assert page.source == "model"
    assert page.model_version == "top-n-3"
    assert [item.title.title_id for item in page.rows[0].titles][:2] == ["s-0002", "s-0003"]
    assert page.rows[0].titles[0].match_percent == 75
    assert page.rows[0].titles[0].reason.startswith("Because you watched")
    (question,) = model.asked
    assert question["viewer_id"] == "v-1"
    assert [(watch.title_id, watch.completion, watch.watched_at) for watch in question["recent"]] == [
        ("s-0009", 0.8, NOON)
    ]
    assert recorder.recorded[0].model_version == "top-n-3"
    assert counters.value("home_pages", source="model", titles="computed") == 1


async def test_a_viewer_without_live_events_gets_the_stored_list_and_the_page_counts_as_such(tmp_path, large_model):
    service, counters, _ = await make(tmp_path, open_recommender, folder=large_model, recent=())
    assert service.page("v-001", "north", max_age=None).source == "model"
    assert counters.as_dict()['home_pages{source="model",titles="stored"}'] == 1


async def test_a_viewer_who_has_watched_nothing_gets_what_others_of_the_age_watch(tmp_path, large_model):
    service, counters, recorder = await make(tmp_path, open_recommender, folder=large_model, recent=())
    page = service.page("v-new-odd", "north", max_age=None)
    assert page.source == "model"
    assert {item.reason for item in page.rows[0].titles} <= {"Popular with people your age", "Something different"}
    assert recorder.recorded[0].items[0].reason == "age-band"
    assert counters.value("home_pages", source="model", titles="age-band") == 1


async def test_a_viewer_the_model_cannot_say_anything_of_gets_popularity(tmp_path):
    service, counters, _ = await make(tmp_path, lambda folder: Model([]))
    page = service.page("v-1", "north", max_age=None)
    assert page.source == "popularity"
    assert page.model_version == ""
    assert counters.value("home_pages", source="popularity", why="viewer-unknown") == 1


async def test_a_model_that_cannot_be_opened_is_counted_and_the_page_still_made(tmp_path):
    def broken(folder):
        raise RecommenderUnavailable("unknown format")

    service, counters, _ = await make(tmp_path, broken)
    assert service.page("v-1", "north", max_age=None).source == "popularity"
    assert counters.value("recommender_load_failures") == 1
    assert counters.value("home_pages", source="popularity", why="model-broken") == 1


async def test_an_arm_decides_who_ranks_and_how_much_is_explored_and_is_logged_with_the_page(tmp_path):
    arms = [ArmRecord(arm="held-out", share=1.0, is_control=True, ranking="popularity", exploration_share=0.0)]
    held_out = ExperimentRecord(experiment_id="holdout", arms=arms)
    service, counters, recorder = await make(tmp_path, lambda folder: Model([Pick("s-0002")]), [held_out])
    page = service.page("v-1", "north", max_age=None)

    assert page.source == "popularity"
    assert counters.value("home_pages", source="popularity", why="experiment") == 1
    (logged,) = recorder.recorded
    assert [(exposure.experiment_id, exposure.arm) for exposure in logged.exposures] == [("holdout", "held-out")]
    assert {item.propensity for item in logged.items} == {1.0}


@pytest.mark.parametrize(("affinity", "percent"), [(1.0, 0), (3.0, 50), (5.0, 100)])
def test_an_affinity_as_people_read_it(affinity, percent):
    assert match_percent(affinity) == percent
