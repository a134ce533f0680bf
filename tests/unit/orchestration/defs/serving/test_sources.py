import json

import pytest

from orchestration.defs.serving.sources import SourceDamaged, read_plans, read_recommender
from orchestration.store import LocalStore


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


def test_before_anything_was_trained_or_planned_there_is_nothing_and_no_error(store):
    assert read_plans(store, ["north"]) == []
    assert read_recommender(store).folder is None


def test_the_recommender_is_found_by_its_pointer_with_the_models_behind_it(store):
    models = [{"name": "recommender-top-n", "version": "4", "metric_name": "ndcg_at_10", "metric_value": 0.15}]
    store.put_bytes("models/recommender/0004-abc/models.json", json.dumps(models).encode())
    store.put_bytes("models/recommender/CURRENT", b"models/recommender/0004-abc", replace=True)
    published = read_recommender(store)
    assert published.folder == store.root / "models/recommender/0004-abc"
    assert published.models[0].version == "4"


def test_pointers_to_nothing_are_named(store):
    store.put_bytes("models/recommender/CURRENT", b"models/recommender/gone", replace=True)
    store.put_bytes("plans/north/CURRENT", b"plan-9", replace=True)
    with pytest.raises(SourceDamaged, match="gone"):
        read_recommender(store)
    with pytest.raises(SourceDamaged, match="plan-9"):
        read_plans(store, ["north"])


def test_a_plan_that_is_no_parquet_is_named(store):
    store.put_bytes("plans/north/plan-9.parquet", b"not parquet")
    store.put_bytes("plans/north/CURRENT", b"plan-9", replace=True)
    with pytest.raises(SourceDamaged, match="placement plan"):
        read_plans(store, ["north"])
