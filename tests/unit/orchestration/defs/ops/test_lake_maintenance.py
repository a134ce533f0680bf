import dagster as dg

from orchestration.defs.ops.lake_maintenance import lake_maintenance
from orchestration.resources.warehouse import Warehouse


def test_a_round_of_upkeep_shows_what_it_did(tmp_path):
    result = dg.materialize(
        [lake_maintenance],
        resources={"warehouse": Warehouse(lake_folder=str(tmp_path))},
        instance=dg.DagsterInstance.ephemeral(),
    )

    (materialization,) = result.asset_materializations_for_node("ops__lake_maintenance")
    assert materialization.metadata["files_removed"].value == 0
    assert "| size_bytes |" in materialization.metadata["size"].value
