import pytest

from orchestration.defs.edge.purge import unknown_titles
from orchestration.resources.warehouse import Warehouse
from orchestration.store import LocalStore


@pytest.fixture
def store(tmp_path):
    store = LocalStore(tmp_path / "store")
    store.put_bytes("media/s-0042/CURRENT", b"a package")
    return store


def test_a_title_of_the_catalogue_is_known_without_media_and_one_with_media_without_the_catalogue(store, tmp_path):
    warehouse = Warehouse(lake_folder=str(tmp_path / "lake"))
    with warehouse.connection() as connection:
        connection.execute("create schema lake.serving")
        connection.execute("create table lake.serving.srv_titles as select 's-0043' as title_id")
    asked = ["s-0044", "s-0042", "s-0043", "S-0042", "s-0044"]
    assert unknown_titles(store, warehouse, asked) == ["S-0042", "s-0044"]


def test_without_a_catalogue_the_store_alone_tells(store, tmp_path):
    warehouse = Warehouse(lake_folder=str(tmp_path / "lake"))
    assert unknown_titles(store, warehouse, ["s-0042", "s-0043"]) == ["s-0043"]
