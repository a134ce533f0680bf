import dagster as dg
import polars as pl

from orchestration.defs.catalogue import delivered
from orchestration.media.description import TitleDescription
from orchestration.media.handover import ProbedMaster, TakenSidecars, write_probed, write_sidecars
from orchestration.media.report import ProbeReport
from orchestration.resources.storage import MediaStorage
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
        resources={"warehouse": warehouse, "storage": MediaStorage(root=str(tmp_path / "store"))},
        instance=dg.DagsterInstance.ephemeral(),
    )

    assert result.success
    assert warehouse.read("raw.titles", ["title_id", "name"]).rows() == [("s-1", "One")]
    assert warehouse.read("raw.viewers").is_empty()
    passed = {check.asset_key: check.passed for check in result.get_asset_check_evaluations()}
    assert passed == {delivered.TITLES: False, delivered.VIEWERS: True}
    (materialization,) = result.asset_materializations_for_node("catalogue__viewers")
    assert "viewers.parquet was not delivered" in str(materialization.metadata["notes"].value)


def test_what_stands_beside_a_master_enters_too(tmp_path):
    settings = read_settings({"MATINEE_HOME": str(tmp_path)})
    storage = MediaStorage(root=str(tmp_path / "store"))
    report = ProbeReport(file="film.mp4", size_bytes=1, verdict="playable", reasons=[], warnings=[], hints=[])
    sha256 = "a" * 64
    write_probed(
        storage.store(),
        ProbedMaster(title_id="film", file="film.mp4", sha256=sha256, size_bytes=1, modified_ns=1, report=report),
    )
    described = TitleDescription(name="Der Film", genres=["drama"], maturity_age=12)
    write_sidecars(
        storage.store(), "film", sha256, TakenSidecars(fingerprint="x", captions=[], description=described, warnings=[])
    )
    warehouse = Warehouse(lake_folder=str(settings.lake_folder))

    result = dg.materialize(
        delivered.build_assets(settings),
        resources={"warehouse": warehouse, "storage": storage},
        selection=[delivered.TITLES],
        instance=dg.DagsterInstance.ephemeral(),
    )

    assert result.success
    columns = ["title_id", "name", "genres", "maturity_age"]
    assert warehouse.read("raw.titles", columns).rows() == [("film", "Der Film", ["drama"], 12)]
