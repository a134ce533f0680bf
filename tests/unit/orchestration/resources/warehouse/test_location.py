import duckdb
import pytest

from orchestration.resources.warehouse import location as location_module
from orchestration.resources.warehouse.errors import ExtensionMissing
from orchestration.resources.warehouse.location import EXTENSIONS, prepare_lake


def linked_extensions(location):
    return {path.name: path for path in location.extension_folder.glob(f"v{duckdb.__version__}/*/*.duckdb_extension")}


def test_links_every_extension_from_its_wheel(tmp_path):
    location = prepare_lake(tmp_path / "lake")

    links = linked_extensions(location)
    assert sorted(links) == sorted(f"{name}.duckdb_extension" for name in EXTENSIONS)
    assert all(path.resolve().is_file() for path in links.values())
    assert location.data_folder.is_dir()


def test_a_link_into_another_environment_is_replaced(tmp_path):
    location = prepare_lake(tmp_path)
    link = linked_extensions(location)["ducklake.duckdb_extension"]
    link.unlink()
    link.symlink_to(tmp_path / "an-environment-that-is-gone")

    prepare_lake(tmp_path)

    assert link.resolve().is_file()


def test_tells_dbt_the_same_places(tmp_path):
    location = prepare_lake(tmp_path)

    assert location.environment == {
        "MATINEE_LAKE_CATALOGUE": location.catalogue,
        "MATINEE_LAKE_DATA": f"{location.data_folder}/",
        "MATINEE_LAKE_EXTENSIONS": str(location.extension_folder),
    }


def test_a_missing_wheel_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(location_module, "EXTENSIONS", ("no_such_extension",))

    with pytest.raises(ExtensionMissing, match="duckdb-extension-no-such-extension is not installed"):
        prepare_lake(tmp_path)
