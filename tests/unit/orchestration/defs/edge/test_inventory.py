import io

import dagster as dg
import polars as pl

from orchestration.defs.edge.inventory import build_inventory
from orchestration.edge import current_plan_key, plan_key
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage


def test_edges_that_do_not_answer_are_a_warning_and_a_row(tmp_path):
    storage = MediaStorage(root=str(tmp_path))
    rows = io.BytesIO()
    pl.DataFrame({"plan_id": ["p-1"]}).write_parquet(rows)
    storage.store().put_bytes(plan_key("eu-north", "p-1"), rows.getvalue())
    storage.store().put_bytes(current_plan_key("eu-north"), b"p-1")
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [build_inventory()],
            resources={"storage": storage, "edges": EdgeFleet(secret="s", urls={"eu-north-1": "http://127.0.0.1:1"})},
            instance=instance,
        )
    assert result.success
    metadata = result.asset_materializations_for_node("edge__inventory")[0].metadata
    assert (metadata["edges"].value, metadata["edges_answering"].value) == (1, 0)
    assert "| eu-north-1 |" in metadata["inventory"].value
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert checks == {"every_edge_answered": False, "nothing_outside_the_plan": True, "plan_is_placed": True}
