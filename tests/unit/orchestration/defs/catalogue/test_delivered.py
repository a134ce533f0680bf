import dagster as dg
import polars as pl

from orchestration.defs.catalogue import delivered
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import read_settings


def test_a_delivery_enters_and_its_bad_rows_are_shown(tmp_path):
    settings = read_settings({"MATINEE_HOME": str(tmp_path)})
    settings.catalogue_drop_folder.mkdir(parents=True)
    rows = [{"title_id": "s-1", "name": "One"}, {"title_id": "S 2", "name": "Two"}]
    pl.DataFrame(rows).write_parquet(settings.catalogue_drop_folder / "titles.parquet")
    warehouse = Warehouse(lake_folder=str(settings.lake_folder))

    result = dg.materialize(
        delivered.build_assets(settings),
        resources={"warehouse": warehouse},
        instance=dg.DagsterInstance.ephemeral(),
    )

    assert result.success
    assert warehouse.read("raw.titles", ["title_id", "name"]).rows() == [("s-1", "One")]
    assert warehouse.read("raw.viewers").is_empty()
    passed = {check.asset_key: check.passed for check in result.get_asset_check_evaluations()}
    assert passed == {delivered.TITLES: False, delivered.VIEWERS: True}
    (materialization,) = result.asset_materializations_for_node("catalogue__viewers")
    assert "viewers.parquet was not delivered" in str(materialization.metadata["notes"].value)
