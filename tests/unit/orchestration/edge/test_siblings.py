import polars as pl

from orchestration.edge.fill import PlannedFill
from orchestration.edge.inventory import EdgeAnswer
from orchestration.edge.orders import EdgeInventory, FillGroup, FillObject, FillOrder
from orchestration.edge.siblings import point_to_siblings

URLS = {edge_id: f"http://{edge_id}" for edge_id in ("e-1", "e-2", "e-3", "e-4")}


def fill_of(edge_id, *groups):
    """(title, segment group) -> an order for them."""
    objects = [FillObject(key="t/r/a/1.m4s", size_bytes=1, sha256="0" * 64)]
    order = FillOrder(
        plan_id="p",
        upstream_url="http://origin",
        groups=[
            FillGroup(
                title_id=title_id, package_id="new", rung="240p", segment_group=number, value=1.0, objects=objects
            )
            for title_id, number in groups
        ],
    )
    return PlannedFill(edge_id=edge_id, order=order, rows=pl.DataFrame())


def holds(edge_id, complete, packages):
    inventory = EdgeInventory(
        edge_id=edge_id,
        generation=1,
        plan_id=None,
        capacity_bytes=9,
        placed_bytes=9,
        cached_bytes=0,
        complete={title_id: {"240p": numbers} for title_id, numbers in complete.items()},
        packages=packages,
    )
    return EdgeAnswer(edge_id=edge_id, inventory=inventory)


def siblings_of(fill):
    return [group.sibling_url for group in fill.order.groups]


def test_names_who_holds_a_group_of_the_same_package_and_is_another_edge():
    answers = [
        holds("e-1", {"a": [1]}, {"a": "new"}),
        holds("e-2", {"a": [0, 1], "b": [0], "c": [0]}, {"a": "new", "b": "old"}),
        EdgeAnswer(edge_id="e-3", inventory=None, problem="down"),
        holds("not ours", {"d": [0]}, {"d": "new"}),
    ]
    fills = [fill_of("e-1", ("a", 0), ("a", 1), ("b", 0), ("c", 0), ("d", 0)), fill_of("e-2", ("a", 1))]
    first, second = point_to_siblings(fills, answers, URLS)
    assert siblings_of(first) == ["http://e-2", None, None, None, None]
    assert siblings_of(second) == [None]
    assert (first.order.plan_id, first.edge_id) == ("p", "e-1")


def test_edges_that_lack_the_same_group_ask_different_siblings():
    answers = [holds("e-3", {"a": [0]}, {"a": "new"}), holds("e-4", {"a": [0]}, {"a": "new"})]
    first, second = point_to_siblings([fill_of("e-1", ("a", 0)), fill_of("e-2", ("a", 0))], answers, URLS)
    assert {*siblings_of(first), *siblings_of(second)} == {"http://e-3", "http://e-4"}
