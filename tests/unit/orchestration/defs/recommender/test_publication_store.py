from __future__ import annotations

import os

import msgspec
import pytest

from ml.tracking import RegisteredVersion
from orchestration.defs.recommender.publication_store import (
    MODELS_FILE,
    POINTER_KEY,
    point_to_publication,
    remove_old_publications,
    store_publication,
)
from orchestration.defs.recommender.registry import AFFINITY, TOP_N
from orchestration.store import LocalStore
from playback_api.snapshot.schema import ModelRecord


def version(name: str, number: int, **metrics: float) -> RegisteredVersion:
    return RegisteredVersion(
        name=name, version=number, run_id=f"run-{number}", data_id="data", metrics=metrics, tags={}
    )


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def write_folder(tmp_path):
    def write(name: str, content: str):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "weights.npy").write_text(content)
        return folder

    return write


def test_the_pointer_names_the_newest_folder_and_the_old_one_stays(store, write_folder):
    champion = version(TOP_N, 1, ndcg_at_10=0.2)
    first = store_publication(store, write_folder("a", "one"), [champion])
    point_to_publication(store, first)
    second = store_publication(store, write_folder("b", "two"), [champion])
    assert first != second
    assert store.read_bytes(POINTER_KEY).decode() == first, "stored is not published yet"
    point_to_publication(store, second)
    assert store.read_bytes(POINTER_KEY).decode() == second
    assert store.read_bytes(f"{first}/weights.npy") == b"one"
    assert store.read_bytes(f"{second}/weights.npy") == b"two"


def test_the_same_content_keeps_its_key(store, write_folder):
    champion = version(TOP_N, 1, ndcg_at_10=0.2)
    assert store_publication(store, write_folder("a", "one"), [champion]) == store_publication(
        store, write_folder("b", "one"), [champion]
    )


def test_the_challenger_goes_along_in_a_folder_of_its_own(store, write_folder):
    folder = write_folder("a", "one")
    (folder / "challenger").mkdir()
    (folder / "challenger" / "weights.npy").write_text("two")
    key = store_publication(store, folder, [version(TOP_N, 1, ndcg_at_10=0.2)], version(TOP_N, 2, ndcg_at_10=0.3))
    assert store.read_bytes(f"{key}/challenger/weights.npy") == b"two"
    models = msgspec.json.decode(store.read_bytes(f"{key}/{MODELS_FILE}"), type=list[ModelRecord])
    assert [(model.name, model.version) for model in models] == [(TOP_N, "1"), (f"{TOP_N}@challenger", "2")]


def test_the_models_behind_it_lie_beside_it(store, write_folder):
    key = store_publication(
        store, write_folder("a", "one"), [version(TOP_N, 3, ndcg_at_10=0.2), version(AFFINITY, 2, rmse=0.9)]
    )
    models = msgspec.json.decode(store.read_bytes(f"{key}/{MODELS_FILE}"), type=list[ModelRecord])
    assert [(model.name, model.version, model.metric_name, model.metric_value) for model in models] == [
        (TOP_N, "3", "ndcg_at_10", 0.2),
        (AFFINITY, "2", "rmse", 0.9),
    ]


def test_only_the_newest_stay_and_the_one_that_is_published(store, write_folder):
    champion = version(TOP_N, 1, ndcg_at_10=0.2)
    keys = [store_publication(store, write_folder(name, name), [champion]) for name in "abcdef"]
    for written_at, key in enumerate(keys):
        os.utime(store.local_path(key), (written_at, written_at))
    point_to_publication(store, keys[1])

    assert remove_old_publications(store) == [keys[2], keys[0]]
    assert [store.local_path(key).exists() for key in keys] == [False, True, False, True, True, True]
    assert remove_old_publications(store) == []
