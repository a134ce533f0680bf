"""The home page with a model: what is asked of it, and what happens when it has no answer."""

import dataclasses
from dataclasses import dataclass

import pytest

from playback_api.domain.counters import Counters
from playback_api.domain.home.recommender import open_recommender
from playback_api.domain.home.services import HomeService, match_percent
from playback_api.domain.served import RecommenderUnavailable, ServedSnapshots
from playback_api.profile import Preferences, ViewerProfile, WatchedTitle
from playback_api.snapshot import CHALLENGER_FOLDER, ArmRecord, ExperimentRecord, SnapshotReader
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


async def make(tmp_path, open_recommender, experiments=(), *, folder=None, recent=(WATCHED,), has_challenger=False):
    if folder is None:
        folder = tmp_path / "model"
        for model in (folder, folder / CHALLENGER_FOLDER) if has_challenger else (folder,):
            model.mkdir()
            (model / "index").write_bytes(b"x")
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
    assert {item.reason for item in page.rows[0].titles} <= {
        "Popular with people your age", "Popular near you", "Something different"
    }  # fmt: skip
    assert recorder.recorded[0].items[0].reason == "age-band"
    assert counters.value("home_pages", source="model", titles="sign-up") == 1


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
    assert service._snapshots.current().recommender_problem == "unknown format; popularity makes the pages"


async def test_the_last_model_that_could_be_opened_goes_on_when_the_next_one_cannot(tmp_path):
    """As when the graph is updated before the API: the catalogue is new, the lists are those of before."""
    opened = []

    def only_the_first(folder):
        if opened and folder.name != CHALLENGER_FOLDER:
            raise RecommenderUnavailable("no group_trend.npy")
        opened.append(folder)
        return Model([Pick("s-0002")])

    service, counters, recorder = await make(tmp_path, only_the_first, [TRIAL], has_challenger=True)
    first = service.page("v-1", "north", max_age=None)
    content = make_content(recommender_folder=tmp_path / "model")
    newest = publish_content(tmp_path, dataclasses.replace(content, experiments=[TRIAL], titles=content.titles[:5]))
    assert await service._snapshots.refresh()

    page = service.page("v-1", "north", max_age=None)
    served = service._snapshots.current()
    assert first.snapshot_id != page.snapshot_id == served.snapshot.snapshot_id == newest.snapshot_id
    assert (page.source, page.model_version) == ("model", "top-n-3")
    assert counters.value("recommender_load_failures") == 1
    assert served.recommender_problem == "no group_trend.npy; top-n-3 makes the pages"
    assert recorder.recorded[0].exposures
    assert not recorder.recorded[1].exposures, "what was not published together is not compared"


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


TRIAL = ExperimentRecord(
    experiment_id="trial",
    arms=[
        ArmRecord(arm="champion", share=0.5, is_control=True, ranking="model"),
        ArmRecord(arm="new", share=0.5, ranking="challenger"),
    ],
)


class Challenger(Model):
    model_version = "top-n-4"


def champion_or_challenger(folder):
    return Challenger([Pick("s-0005")]) if folder.name == CHALLENGER_FOLDER else Model([Pick("s-0002")])


async def test_the_challenger_makes_the_pages_of_its_arm_and_each_page_is_logged_by_arm_and_version(tmp_path):
    service, counters, recorder = await make(tmp_path, champion_or_challenger, [TRIAL], has_challenger=True)
    pages = [service.page(f"v-{number}", "north", max_age=None) for number in range(20)]
    first_by_version = {(page.model_version, page.rows[0].titles[0].title.title_id) for page in pages}
    assert first_by_version == {("top-n-3", "s-0002"), ("top-n-4", "s-0005")}
    assert {page.source for page in pages} == {"model"}
    arms = {(page.exposures[0].arm, page.model_version) for page in recorder.recorded}
    assert arms == {("champion", "top-n-3"), ("new", "top-n-4")}
    of_challenger = counters.value("home_pages", source="challenger", titles="computed")
    assert 0 < of_challenger == sum(page.model_version == "top-n-4" for page in pages)


@pytest.mark.parametrize("is_broken", [True, False])
async def test_without_a_challenger_the_champion_makes_all_pages_and_nobody_is_exposed(tmp_path, is_broken):
    def open_recommender(folder):
        if folder.name == CHALLENGER_FOLDER:
            raise RecommenderUnavailable("unknown format")
        return Model([Pick("s-0002")])

    service, counters, recorder = await make(tmp_path, open_recommender, [TRIAL], has_challenger=is_broken)
    pages = [service.page(f"v-{number}", "north", max_age=None) for number in range(20)]
    assert {page.model_version for page in pages} == {"top-n-3"}
    assert not any(page.exposures for page in recorder.recorded)
    assert counters.value("challenger_load_failures") == int(is_broken)
    assert counters.value("recommender_load_failures") == 0


@pytest.mark.parametrize(("affinity", "percent"), [(1.0, 0), (3.0, 50), (5.0, 100)])
def test_an_affinity_as_people_read_it(affinity, percent):
    assert match_percent(affinity) == percent
