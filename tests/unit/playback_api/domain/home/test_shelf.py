import datetime as dt

import pytest

from playback_api.domain.home.shelf import Shelves, stock_shelf
from playback_api.domain.served import prepare_served
from playback_api.snapshot import SnapshotReader
from playback_api.snapshot.testing import make_content, publish_content

TODAY = dt.date(2026, 10, 1)


@pytest.fixture
def served(tmp_path):
    publish_content(tmp_path, make_content(title_count=12))
    return prepare_served(SnapshotReader(tmp_path).load())


def test_a_shelf_holds_what_may_be_shown_in_the_orders_of_the_rows(served):
    shelf = stock_shelf(served, today=TODAY, max_age=12, region_id="south")
    assert "s-0007" not in shelf.titles
    assert shelf.popular[0] == "s-0012"
    assert shelf.by_genre["comedy"] == ("s-0010", "s-0004", "s-0001")
    assert shelf.new_releases[:2] == ("s-0001", "s-0002")
    assert "s-0010" not in shelf.new_releases


def test_shelves_are_made_once_for_a_day_an_age_and_a_region_and_anew_for_a_new_snapshot(served):
    shelves = Shelves()
    question = {"today": TODAY, "max_age": None, "region_id": "north"}
    first = shelves.shelf(served, **question)
    assert shelves.shelf(served, **question) is first
    assert shelves.shelf(served, **question | {"region_id": "south"}) is not first
    assert shelves.shelf(served, **question | {"max_age": 7}) is not first
    again = prepare_served(served.snapshot)
    assert shelves.shelf(again, **question) is not first


def test_unknown_regions_share_one_shelf(served):
    shelves = Shelves()
    question = {"today": TODAY, "max_age": None}
    assert shelves.shelf(served, region_id="x", **question) is shelves.shelf(served, region_id="y", **question)
