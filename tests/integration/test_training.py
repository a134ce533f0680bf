"""From viewing in a real lake through MLflow on SQLite to the folder that the API opens."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

import orchestration.champion
from ml.recommender import OnlineRecommender, RecentWatch
from ml.recommender.evaluation import POPULARITY, SVD_BY_AFFINITY
from ml.tracking import CHALLENGER, CHAMPION, PREVIOUS, Tracker
from orchestration.champion import ChampionError, describe, make_champion, put_on_trial, roll_back
from orchestration.cli import app
from orchestration.defs.recommender import build_defs, recommendations, top_n_model
from orchestration.defs.recommender.registry import AFFINITY, TOP_N, best_baseline
from orchestration.resources.storage import MediaStorage
from orchestration.resources.tracking import ModelTracking
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import read_settings
from playback_api.snapshot import CHALLENGER_FOLDER

TITLES = 30
VIEWERS = 80
START = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)


MAIN_ROWS = {
    "impression_id": pl.String, "viewer_id": pl.String, "region_id": pl.String, "title_id": pl.String,
    "position": pl.Int64, "propensity": pl.Float64, "is_explored": pl.Boolean, "is_played": pl.Boolean,
    "shown_at": pl.Datetime,
}  # fmt: skip
UNANSWERED = {"viewer_id": pl.String, "title_id": pl.String, "days_shown": pl.Int64}
EXPERIMENT_ARMS = {
    "experiment_id": pl.String, "arm": pl.String, "metric": pl.String, "is_control": pl.Boolean, "share": pl.Float64,
    "viewers_assigned": pl.Int64, "viewers": pl.Int64, "mean": pl.Float64, "adjusted_mean": pl.Float64,
    "difference": pl.Float64, "difference_low": pl.Float64, "difference_high": pl.Float64, "verdict": pl.String,
}  # fmt: skip


def viewing(*, seed: int, sessions_per_viewer: int = 9) -> pl.DataFrame:
    """Two camps of viewers, each watching its own half of the catalogue nearly always."""
    rng = np.random.default_rng(seed)
    rows = []
    for viewer in range(VIEWERS):
        camp = viewer % 2
        own = rng.permutation(np.arange(camp, TITLES, 2))[: sessions_per_viewer - 1]
        other = rng.integers(0, TITLES)
        for place, title in enumerate([*own.tolist(), int(other)]):
            completion = 0.95 if title % 2 == camp else 0.2
            started_at = START + dt.timedelta(hours=24 * place + viewer / 10)
            rows.append((f"{seed}-{viewer}-{place}", f"v-{viewer:06d}", f"s-{title:04d}", completion, started_at))
    columns = ["session_id", "viewer_id", "title_id", "completion", "started_at"]
    frame = pl.DataFrame(rows, schema=columns, orient="row").sort("started_at")
    return frame.with_columns(
        region_id=pl.lit("eu-west"), age_band=pl.lit("25-34"), device=pl.lit("mobile"), seconds_watched=pl.lit(60.0)
    )


def titles() -> pl.DataFrame:
    numbers = range(TITLES)
    return pl.DataFrame(
        {
            "title_id": [f"s-{number:04d}" for number in numbers],
            "name": [f"Title {number}" for number in numbers],
            "package_id": [None if number == 0 else f"p-{number}" for number in numbers],
            "genres": [["drama" if number % 2 else "comedy"] for number in numbers],
            "release_date": [dt.date(2026, 1, 1)] * TITLES,
        }
    )


def viewers() -> pl.DataFrame:
    """Camps are ages; one viewer of each has watched nothing yet."""
    numbers = range(VIEWERS + 2)
    return pl.DataFrame(
        {
            "viewer_id": [f"v-{number:06d}" for number in numbers],
            "age_band": ["55+" if number % 2 else "18-24" for number in numbers],
            "preferred_genres": [["drama"] if number % 2 else [] for number in numbers],
        }
    )


def fill(warehouse: Warehouse, viewing_frame: pl.DataFrame) -> None:
    tables = {
        "serving.srv_viewing": viewing_frame,
        "serving.srv_titles": titles(),
        "serving.srv_viewers": viewers(),
        "serving.srv_main_rows": pl.DataFrame(schema=MAIN_ROWS),
        "serving.srv_unanswered": pl.DataFrame(schema=UNANSWERED),
        "marts.fct_experiment_arms": pl.DataFrame(schema=EXPERIMENT_ARMS),
    }
    with warehouse.connection() as connection:
        for table, frame in tables.items():
            connection.execute(f"create schema if not exists lake.{table.split('.')[0]}")
            connection.register("frame", frame)
            connection.execute(f"create or replace table lake.{table} as select * from frame")
            connection.unregister("frame")


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory) -> Path:
    """MLflow's tables, made once: its migrations take seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    Tracker(f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts").latest("nothing")
    return folder / "mlflow.db"


class Home:
    def __init__(self, folder: Path, empty_database: Path) -> None:
        shutil.copy(empty_database, folder / "mlflow.db")
        self.warehouse = Warehouse(lake_folder=str(folder / "lake"))
        self.tracking = ModelTracking(
            tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", artifact_folder=str(folder / "artifacts")
        )
        self.storage = MediaStorage(root=str(folder / "store"))

    def materialise(self) -> dg.ExecuteInProcessResult:
        defs = build_defs(read_settings({}))
        resources = {"warehouse": self.warehouse, "tracking": self.tracking, "storage": self.storage}
        assets = [*(defs.assets or []), *(defs.asset_checks or [])]
        return dg.materialize(assets, resources=resources, instance=dg.DagsterInstance.ephemeral())

    def published(self, below: str = "") -> OnlineRecommender:
        return OnlineRecommender.load(self._published_folder() / below)

    def publishes(self, below: str) -> bool:
        return (self._published_folder() / below).exists()

    def _published_folder(self) -> Path:
        store = self.storage.store()
        return store.local_path(store.read_bytes("models/recommender/CURRENT").decode())


@pytest.fixture(scope="module")
def home(tmp_path_factory, empty_database) -> Home:
    home = Home(tmp_path_factory.mktemp("home"), empty_database)
    fill(home.warehouse, viewing(seed=1))
    return home


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict:
    (materialisation,) = result.asset_materializations_for_node(f"recommender__{asset}")
    return {name: value.value for name, value in materialisation.metadata.items()}


def check(result: dg.ExecuteInProcessResult, name: str) -> dg.AssetCheckEvaluation:
    return next(found for found in result.get_asset_check_evaluations() if found.check_name == name)


def test_the_first_model_becomes_champion_and_is_published(home):
    result = home.materialise()

    assert result.success
    assert check(result, "champion_gate").passed
    tracker: Tracker = home.tracking.tracker()
    assert tracker.champion(TOP_N).version == 1
    assert tracker.champion(AFFINITY).version == 1
    described = metadata(result, "top_n_model")
    assert "popularity" in described["scores"]
    assert best_baseline(tracker.champion(TOP_N))[0] in (POPULARITY, SVD_BY_AFFINITY)
    assert "data:image/png;base64," in described["ndcg_by_slice"]
    assert metadata(result, "recommendations")["viewers"] == VIEWERS
    assert check(result, "champion_gate").metadata["shadow"].value == "no shadow score: no page was shown yet"
    assert metadata(result, "experiments")["experiments"] == 0, "no arm is declared in this lake"

    recommender = home.published()
    assert recommender.model_version == "top-n-1"
    listed = recommender.recommend(viewer_id="v-000003", recent=[], exclude=[], region_id=None, k=4).titles
    assert [int(title.title_id[2:]) % 2 for title in listed] == [1, 1, 1, 1], "the viewer is of the odd camp"
    newcomer = recommender.recommend(viewer_id="v-000081", recent=[], exclude=[], region_id="eu-west", k=4)
    assert [(int(title.title_id[2:]) % 2, title.reason) for title in newcomer.titles] == [(1, "age-band")] * 4
    assert set(recommender.affinity("v-000003", ["s-0003", "s-0005"])) == {"s-0003", "s-0005"}


def test_training_again_on_the_same_data_gives_an_equal_model_that_may_take_over(home):
    before = home.published()
    result = home.materialise()
    tracker = home.tracking.tracker()
    assert tracker.champion(TOP_N).version == tracker.latest(TOP_N).version
    assert check(result, "champion_gate").metadata["difference_ndcg_at_10"].value == 0.0
    question = {"viewer_id": "v-000010", "recent": [], "exclude": [], "region_id": None, "k": 5}
    assert home.published().recommend(**question) == before.recommend(**question)


def test_a_model_from_spoilt_data_does_not_become_champion(home):
    tracker = home.tracking.tracker()
    champion = tracker.champion(TOP_N).version
    frame = viewing(seed=2)
    shuffled = frame.with_columns(title_id=frame["title_id"].shuffle(seed=3), completion=pl.lit(0.9))
    fill(home.warehouse, shuffled)

    result = home.materialise()

    refused = check(result, "champion_gate")
    assert result.success, "a refusal does not stop what follows"
    assert not refused.passed
    assert refused.severity == dg.AssetCheckSeverity.WARN
    assert tracker.latest(TOP_N).version > champion
    assert tracker.champion(TOP_N).version == champion
    assert home.published().model_version == f"top-n-{champion}"


def test_while_a_trial_is_declared_a_model_that_passes_is_published_beside_the_champion(home, monkeypatch):
    tracker = home.tracking.tracker()
    champion = tracker.champion(TOP_N).version
    for module in (top_n_model, recommendations, orchestration.champion):
        monkeypatch.setattr(module, "declared_trial", lambda today: "t")
    fill(home.warehouse, viewing(seed=1))

    first = home.materialise()
    on_trial = tracker.aliased(TOP_N, CHALLENGER).version
    second = home.materialise()

    assert on_trial > champion == tracker.champion(TOP_N).version
    assert "is on trial beside the champion now" in check(first, "champion_gate").description
    assert f"waits, since version {on_trial} is on trial" in check(second, "champion_gate").description
    assert home.published().model_version == f"top-n-{champion}"
    assert home.published(CHALLENGER_FOLDER).model_version == f"top-n-{on_trial}"
    assert metadata(second, "recommendations")["challenger"] == f"version {on_trial}"
    names = [line.split(",")[0] for line in describe(tracker)]
    assert names[:2] == [f"champion: version {champion}", f"challenger: version {on_trial}"]

    shutil.rmtree(tracker.model_folder(TOP_N, on_trial))
    without = home.materialise()
    assert without.success, "a challenger that is damaged stops nothing"
    assert "has no files" in metadata(without, "recommendations")["challenger"]
    assert home.published().model_version == f"top-n-{champion}"
    assert not home.publishes(CHALLENGER_FOLDER)

    newest = tracker.latest(TOP_N).version
    with pytest.raises(ChampionError, match=f"version {champion} is the champion"):
        put_on_trial(tracker, champion)
    assert put_on_trial(tracker, newest).told == f"version {newest} is on trial beside the champion"
    assert make_champion(tracker, None).told == f"version {newest} is the champion now"
    with pytest.raises(ChampionError, match="no model is on trial"):
        make_champion(tracker, None)
    taken_back = roll_back(tracker)
    assert taken_back.told == f"version {champion} is the champion again"
    assert taken_back.again == f"matinee champion promote {champion}", "rolling back once more would undo it"


def test_the_champion_is_moved_back_and_published_by_one_command(home, monkeypatch, capsys):
    tracker = home.tracking.tracker()
    champion, previous = tracker.champion(TOP_N).version, tracker.aliased(TOP_N, PREVIOUS).version
    published = []
    monkeypatch.setattr(orchestration.champion, "open_tracker", lambda settings: tracker)
    monkeypatch.setattr(orchestration.champion, "publish", lambda settings: published.append("once") or "published")

    assert app(["champion", "rollback"], result_action="return_value") == 0
    assert tracker.champion(TOP_N).version == previous
    assert published == ["once"]
    again = top_n_model.champion_gate(tracking=home.tracking)
    assert again.description.startswith(f"version {tracker.latest(TOP_N).version} was judged before: it ")
    assert tracker.champion(TOP_N).version == previous, "what was moved aside stays aside"
    assert app(["champion", "show"], result_action="return_value") == 0
    assert f"champion: version {previous}, NDCG@10" in capsys.readouterr().out
    assert app(["champion", "promote", "999"], result_action="return_value") == 1
    assert "no version 999" in capsys.readouterr().err
    assert app(["champion", "try", str(champion)], result_action="return_value") == 1
    assert "declare one in dbt/seeds/experiments.csv" in capsys.readouterr().err
    assert app(["champion", "promote", str(champion)], result_action="return_value") == 0
    assert published == ["once", "once"]


def test_what_is_taken_back_while_its_lists_are_made_is_not_published(home, monkeypatch):
    tracker = home.tracking.tracker()
    champion, previous = (tracker.aliased(TOP_N, alias).version for alias in (CHAMPION, PREVIOUS))
    store_publication, stored = recommendations.store_publication, []

    def stored_while_somebody_rolls_back(*arguments):
        if not stored:
            tracker.roll_back(TOP_N)
        stored.append(store_publication(*arguments))
        return stored[-1]

    monkeypatch.setattr(recommendations, "store_publication", stored_while_somebody_rolls_back)
    resources = {"warehouse": home.warehouse, "tracking": home.tracking, "storage": home.storage}
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([recommendations.recommendations], resources=resources, instance=instance)
    assert result.success
    assert [int(key.rpartition("/")[2].partition("-")[0]) for key in stored] == [champion, previous]
    assert home.published().model_version == f"top-n-{previous}"


def test_what_is_watched_since_is_folded_in(home):
    recommender = home.published()
    later = recommender.trained_through + dt.timedelta(days=1)
    recent = [RecentWatch(title_id=f"s-{title:04d}", completion=1.0, watched_at=later) for title in (2, 4, 6, 8)]
    question = {"viewer_id": "v-999999", "recent": recent, "exclude": ["s-0010"], "region_id": "eu-west", "k": 3}
    listed = recommender.recommend(**question).titles
    assert [int(title.title_id[2:]) % 2 for title in listed] == [0, 0, 0]
    assert not {title.title_id for title in listed} & {"s-0000", "s-0002", "s-0010"}, "unplayable, seen or excluded"


def test_without_viewing_the_stage_succeeds_and_publishes_nothing(tmp_path, empty_database):
    home = Home(tmp_path, empty_database)
    fill(home.warehouse, viewing(seed=1).clear())
    result = home.materialise()
    assert result.success
    assert metadata(result, "top_n_model")["trained"] is False
    assert metadata(result, "recommendations")["published"] is False
    assert not home.storage.store().exists("models/recommender/CURRENT")


def test_a_frame_that_is_mostly_broken_fails_with_a_reason(tmp_path, empty_database):
    home = Home(tmp_path, empty_database)
    frame = viewing(seed=1)
    half_broken = pl.concat([frame.with_columns(completion=pl.lit(float("nan"))).head(frame.height // 2), frame])
    fill(home.warehouse, half_broken)
    with pytest.raises(dg.Failure, match="no id, time or finite completion"):
        home.materialise()
