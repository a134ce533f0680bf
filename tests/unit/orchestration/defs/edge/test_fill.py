import datetime as dt

import dagster as dg
import pytest

from orchestration.defs.edge.fill import build_fill
from orchestration.edge.topology import Edge, Network, Region
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import read_settings

FILL = dg.AssetKey(["edge", "fill"])


def network(start, end):
    region = Region(
        region_id="north",
        name="North",
        country="SE",
        time_zone="UTC",
        network_profile="fast",
        fill_start_hour=start,
        fill_end_hour=end,
    )
    edge = Edge(
        edge_id="north-1",
        region_id="north",
        failure_domain="a",
        port=0,
        capacity_share=0.1,
        pull_reserve_share=0.1,
        viewer_latency_s=0.01,
        viewer_rate_bps=1e6,
        origin_latency_s=0.05,
        origin_rate_bps=1e6,
    )
    return Network(regions=(region,), edges=(edge,))


@pytest.fixture
def materialize(tmp_path):
    def run(world, **config):
        asset = build_fill(read_settings({"MATINEE_HOME": str(tmp_path)}), world)
        resources = {
            "storage": MediaStorage(root=str(tmp_path / "store")),
            "warehouse": Warehouse(lake_folder=str(tmp_path / "lake")),
            "edges": EdgeFleet(secret="s", urls={}),
        }
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("region", ["north"])
            result = dg.materialize(
                [asset],
                resources=resources,
                instance=instance,
                partition_key="north",
                run_config={"ops": {"edge__fill": {"config": config}}},
            )
            return result, result.asset_materializations_for_node("edge__fill")

    return run


def test_outside_the_window_nothing_is_done_and_nothing_is_claimed(materialize):
    hour = dt.datetime.now(dt.UTC).hour
    # a window of one hour, half a day away: closed now and in the next minutes
    result, materializations = materialize(network((hour + 12) % 24, (hour + 13) % 24))
    assert result.success
    assert materializations == []


def test_region_without_a_plan_is_left_as_it_is(materialize):
    result, materializations = materialize(network(0, 0), ignore_window=True)
    assert result.success
    assert materializations == []


def test_asset_can_be_read_in_the_catalogue(tmp_path):
    asset = build_fill(read_settings({"MATINEE_HOME": str(tmp_path)}))
    (spec,) = asset.specs
    assert spec.key == FILL
    assert spec.group_name == "edge"
    assert "Grain:" in (spec.description or "")
    assert {dep.asset_key for dep in spec.deps} == {
        dg.AssetKey(["edge", "placement_plan"]),
        dg.AssetKey(["warehouse", "srv_object_files"]),
    }
