import io

import polars as pl
import pytest

from orchestration.edge.errors import PlanUnusableError
from orchestration.edge.plan import current_plan_key, plan_from_rows, plan_key, read_current_plan
from orchestration.store import LocalStore


def rows(**columns):
    base = {
        "plan_id": ["p-1", "p-1", "p-1"],
        "region_id": ["eu", "eu", "eu"],
        "edge_id": ["e-1", "e-2", "e-1"],
        "title_id": ["a", "a", "b"],
        "package_id": ["pk", "pk", "pk"],
        "rung": ["240p", "240p", "480p"],
        "segment_group": [0, 0, 1],
        "value": [1.0, 2.0, 3.0],
        "size_bytes": [10, 10, 20],
        "rank": [1, 0, 0],
    }
    return pl.DataFrame(base | columns)


def write(store, frame, pointer="p-1"):
    content = io.BytesIO()
    frame.write_parquet(content)
    store.put_bytes(plan_key("eu", "p-1"), content.getvalue())
    store.put_bytes(current_plan_key("eu"), pointer.encode(), replace=True)


def test_reads_what_the_pointer_names(tmp_path):
    store = LocalStore(tmp_path)
    write(store, rows(), pointer="p-1\n")
    plan = read_current_plan(store, "eu")
    assert plan.plan_id == "p-1"
    assert plan.of_edge("e-1")["title_id"].to_list() == ["b", "a"]


def test_no_plan_yet(tmp_path):
    assert read_current_plan(LocalStore(tmp_path), "eu") is None


def test_pointer_to_nothing(tmp_path):
    store = LocalStore(tmp_path)
    store.put_bytes(current_plan_key("eu"), b"p-9")
    with pytest.raises(PlanUnusableError, match="p-9"):
        read_current_plan(store, "eu")


def test_refuses_other_columns_and_other_plans():
    with pytest.raises(PlanUnusableError, match="rank"):
        plan_from_rows("p-1", "eu", rows().drop("rank"))
    with pytest.raises(PlanUnusableError, match="1 rows"):
        plan_from_rows("p-1", "eu", rows(region_id=["eu", "us", "eu"]))
