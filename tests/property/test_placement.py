"""What holds for every plan, whatever the catalogue, the demand and the network."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.placement import BLOCK, plan

RUNGS = ("240p", "480p", "720p", "1080p")
SIZES = st.integers(min_value=1, max_value=5_000)


@st.composite
def worlds(draw):
    rows = []
    demand = []
    for index in range(draw(st.integers(1, 8))):
        name = f"t-{index}"
        for rung in RUNGS[: draw(st.integers(1, 4))]:
            rows += [(name, "p", rung, group, draw(SIZES)) for group in range(draw(st.integers(1, 4)))]
        if draw(st.booleans()):
            rows.append((name, "p", "audio-en", 0, draw(SIZES)))
            rows.append((name, "p", "manifest", 0, draw(st.integers(1, 50))))
        demand.append(("r", name, draw(st.floats(0, 1000))))
    demand.append(("r", "not-in-the-catalogue", 1.0))
    shares = [draw(st.floats(0, 1)) for _ in RUNGS]
    count = draw(st.integers(1, 3))
    edges = pl.DataFrame(
        {
            "edge_id": [f"e{index}" for index in range(count)],
            "region_id": ["r"] * count,
            "failure_domain": [draw(st.sampled_from(["a", "b"])) for _ in range(count)],
            "capacity_bytes": [float(draw(st.integers(0, 40_000))) for _ in range(count)],
            "pull_reserve_share": [draw(st.sampled_from([0.0, 0.1, 1.0])) for _ in range(count)],
        }
    )
    return (
        pl.DataFrame(rows, schema=["title_id", "package_id", "rung", "segment_group", "size_bytes"], orient="row"),
        pl.DataFrame(demand, schema=["region_id", "title_id", "sessions"], orient="row"),
        pl.DataFrame({"region_id": ["r"] * len(RUNGS), "rung": RUNGS, "share": shares}),
        edges,
    )


@settings(max_examples=60, deadline=None)
@given(worlds(), st.booleans())
def test_a_plan_keeps_its_promises(world, with_residents):
    objects, demand, mix, edges = world
    resident = None
    if with_residents:
        resident = objects.sample(fraction=0.5, seed=1).with_columns(pl.lit("e0").alias("edge_id"))
    result = plan(objects, demand, mix, edges, resident, region_id="r")
    rows = result.rows

    # never over capacity less reserve
    room = {
        row["edge_id"]: row["capacity_bytes"] * (1 - row["pull_reserve_share"]) for row in edges.iter_rows(named=True)
    }
    for edge_id, size in rows.group_by("edge_id").agg(pl.col("size_bytes").sum()).iter_rows():
        assert size <= room[edge_id] + 1e-6

    # nothing twice, ranks without gaps
    assert not rows.select("edge_id", *BLOCK).is_duplicated().any()
    for _, of_edge in rows.group_by("edge_id"):
        assert sorted(of_edge["rank"]) == list(range(len(of_edge)))

    # prefix before body, groups in order without gaps
    for _, chain in rows.group_by("edge_id", "title_id", "rung"):
        ordered = chain.sort("segment_group")
        assert ordered["segment_group"].to_list() == list(range(len(ordered)))
        assert ordered["rank"].is_sorted()

    # a title that is placed can start: its manifest is there when it has one
    manifests = objects.filter(pl.col("rung") == "manifest")["title_id"]
    for (_, title), of_title in rows.group_by("edge_id", "title_id"):
        if title in manifests.to_list():
            assert "manifest" in of_title["rung"].to_list()

    # never two copies in one failure domain
    domains = rows.join(edges.select("edge_id", "failure_domain"), on="edge_id")
    holders = domains.group_by("title_id", "failure_domain").agg(pl.col("edge_id").n_unique())
    assert holders.is_empty() or holders["edge_id"].max() == 1

    # deterministic, also against the order of rows
    again = plan(*(frame.reverse() for frame in (objects, demand, mix, edges)), resident, region_id="r")
    assert again.rows.equals(rows)


@settings(max_examples=60, deadline=None)
@given(worlds(), st.floats(1.0, 4.0))
def test_more_room_is_never_worth_less(world, factor):
    """All edges grow alike, so that titles keep their homes; then greedy by value per byte only adds value."""
    objects, demand, mix, edges = world
    larger = edges.with_columns(pl.col("capacity_bytes") * factor)
    before = plan(objects, demand, mix, edges, region_id="r").rows["value"].sum()
    after = plan(objects, demand, mix, larger, region_id="r").rows["value"].sum()
    assert after >= before * (1 - 1e-9)
