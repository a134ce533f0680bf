"""What ``ops/network`` publishes is what the control API reads; neither side imports the other."""

import datetime as dt

import polars as pl
import pytest

from orchestration.defs.ops import network as page
from orchestration.edge.topology import read_network
from orchestration.store import LocalStore
from playback_api.domain.errors import NetworkNotTold
from playback_api.domain.system.network import NetworkOverview
from playback_api.domain.system.schemas import NetworkEdge, NetworkRegion, NetworkTitle

DAY = dt.date(2026, 11, 21)
DEMAND = pl.DataFrame({"region_id": "eu-north", "title_id": "a", "event_day": DAY, "sessions": [12]})
FORECAST = pl.DataFrame(
    {"region_id": "eu-north", "title_id": "a", "day": DAY, "sessions": [10.0], "q10": [5.0], "q90": [float("nan")]}
)
DELIVERED = pl.DataFrame(
    {"pathway_id": "eu-north-1", "requests": [9], "delivered_bytes": [100], "delivered_bytes_placed": [30],
     "delivered_bytes_cached": [10]}
)  # fmt: skip


@pytest.mark.parametrize("forecast", [None, FORECAST], ids=["nothing forecast", "forecast"])
def test_both_sides_read_the_same_columns(tmp_path, forecast):
    with pytest.raises(NetworkNotTold):
        NetworkOverview(tmp_path).read()
    regions = page.compare_forecast(forecast, DEMAND, DAY)
    edges = page.edge_table(read_network(), {"eu-north-1": 0.5}, {}, DELIVERED)
    matrix = page.join_matrix(edges, None, regions)
    titles = page.movers(DEMAND, forecast, DAY, pl.DataFrame({"title_id": ["a"], "name": ["Alpha"]}))
    page.publish_network(LocalStore(tmp_path), DAY, edges=matrix, regions=regions, titles=titles)
    told = NetworkOverview(tmp_path).read()
    assert told.day == DAY
    assert set(matrix.columns) == set(NetworkEdge.__struct_fields__)
    assert set(regions.columns) == set(NetworkRegion.__struct_fields__)
    assert set(titles.columns) == set(NetworkTitle.__struct_fields__)
    edge = {edge.edge_id: edge for edge in told.edges}["eu-north-1"]
    assert (edge.filled, edge.hit_ratio, edge.oracle_hit_ratio) == (0.5, 0.4, None)
    assert told.regions[0].sessions == 12
    assert told.titles[0].name == "Alpha"
