from __future__ import annotations

import dagster as dg
import pytest

from orchestration import taxonomy
from orchestration.defs.recommender import build_defs
from orchestration.resources.storage import MediaStorage
from orchestration.resources.tracking import ModelTracking
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import read_settings


@pytest.fixture(scope="module")
def graph():
    resources = {
        "warehouse": Warehouse(lake_folder="unused"),
        "tracking": ModelTracking(tracking_uri="sqlite:///unused", artifact_folder="unused"),
        "storage": MediaStorage(root="unused"),
    }
    defs = dg.Definitions.merge(build_defs(read_settings({})), dg.Definitions(resources=resources))
    return defs.resolve_asset_graph()


def key(text: str) -> dg.AssetKey:
    return dg.AssetKey(text.split("/"))


def test_the_stage_has_its_assets_with_group_owner_and_description(graph):
    assets = graph.materializable_asset_keys
    assert {asset.to_user_string() for asset in assets} == {
        "recommender/affinity_model",
        "recommender/top_n_model",
        "recommender/recommendations",
        "recommender/experiments",
    }
    for asset in assets:
        node = graph.get(asset)
        assert node.group_name == taxonomy.RECOMMENDER
        assert node.owners == taxonomy.OWNERS[taxonomy.RECOMMENDER]
        assert "Grain:" in node.description
        assert len(node.kinds) <= 3


def test_recommendations_wait_for_both_models_and_their_gates(graph):
    recommendations = graph.get(key("recommender/recommendations"))
    assert {key("recommender/affinity_model"), key("recommender/top_n_model")} <= recommendations.parent_keys
    blocking = {check.name for check in graph.asset_check_keys if graph.get(check).blocking}
    assert blocking == {"affinity_gate", "champion_gate"}
