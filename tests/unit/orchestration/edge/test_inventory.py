import httpx
import polars as pl

from orchestration.edge.client import EdgeClient
from orchestration.edge.inventory import PlacedGroup, as_placed_titles, ask_edges, compare, planned_groups
from orchestration.edge.orders import EdgeInventory


def inventory_of(complete, edge_id="e-1"):
    return EdgeInventory(
        edge_id=edge_id,
        generation=7,
        plan_id="p",
        capacity_bytes=10,
        placed_bytes=5,
        cached_bytes=0,
        complete=complete,
    )


def test_compare_tells_present_missing_and_stale():
    rows = pl.DataFrame({"title_id": ["a", "a", "b"], "rung": ["240p", "240p", "480p"], "segment_group": [0, 1, 0]})
    state = compare(planned_groups(rows), inventory_of({"a": {"240p": [0, 2]}, "b": {"480p": [0]}}))
    assert state.present == {PlacedGroup("a", "240p", 0), PlacedGroup("b", "480p", 0)}
    assert state.missing == {PlacedGroup("a", "240p", 1)}
    assert state.stale == {PlacedGroup("a", "240p", 2)}


def test_groups_in_the_form_of_the_snapshot():
    groups = {PlacedGroup("b", "240p", 10), PlacedGroup("b", "240p", 2), PlacedGroup("a", "manifest", 0)}
    assert as_placed_titles(groups) == {"a": {"manifest": [0]}, "b": {"240p": [2, 10]}}


def test_edges_that_do_not_answer_are_reported_beside_those_that_do():
    def answer(request):
        if request.url.host == "down":
            raise httpx.ConnectError("refused")
        if request.url.host == "other":
            return httpx.Response(200, text="<html>")
        if request.url.host == "broken":
            return httpx.Response(500, json={"detail": "disk gone"})
        return httpx.Response(
            200,
            json={
                "edge_id": "up",
                "generation": 1,
                "plan_id": None,
                "capacity_bytes": 1,
                "placed_bytes": 0,
                "cached_bytes": 0,
                "complete": {},
            },
        )

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        hosts = ("up", "down", "other", "broken")
        answers = {a.edge_id: a for a in ask_edges({h: EdgeClient(h, f"http://{h}", "s", http=http) for h in hosts})}
    assert answers["up"].inventory.generation == 1
    assert "does not answer" in answers["down"].problem
    assert "no edge" in answers["other"].problem
    assert "disk gone" in answers["broken"].problem
