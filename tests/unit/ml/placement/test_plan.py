import datetime as dt

import polars as pl
import pytest

from ml.placement import BLOCK, NoDemand, PlacementInputError, PlacementSettings, objective, plan


def blocks_on(result, edge_id):
    return result.rows.filter(pl.col("edge_id") == edge_id)


def test_a_plan_fills_the_edges_below_their_reserve(objects, demand, rung_mix, edges):
    result = plan(objects, demand, rung_mix, edges, region_id="eu")
    for edge in result.edges:
        assert 0.95 * 18_000 < edge.placed_bytes <= 18_000
        assert edge.placed_bytes == blocks_on(result, edge.edge_id)["size_bytes"].sum()
    assert not {"artwork", "text-en"} & set(result.rows["rung"].to_list())
    assert 0 < result.expected_hit_ratio < 1
    assert result.rows["plan_id"].unique().to_list() == [result.plan_id]


def test_the_start_pack_comes_first_and_whole(objects, demand, rung_mix, edges):
    result = plan(objects, demand, rung_mix, edges, region_id="eu")
    for _, of_title in result.rows.sort("rank").group_by("edge_id", "title_id", maintain_order=True):
        first = of_title.head(3)
        assert set(first["rung"]) == {"manifest", "audio-en", "480p"}
        assert first["segment_group"].to_list() == [0, 0, 0]


def test_prefixes_of_many_titles_come_before_bodies_of_few(objects, demand, rung_mix, edges_of):
    result = plan(objects, demand, rung_mix, edges_of(6_000.0), region_id="eu")
    with_body = result.rows.filter((pl.col("segment_group") > 0) & pl.col("rung").str.ends_with("p"))[
        "title_id"
    ].n_unique()
    assert result.titles_with_prefix > 1.5 * with_body
    assert result.expected_start_ratio > result.expected_hit_ratio


def test_small_prefixes_start_more_sessions_for_their_bytes_and_come_first(objects, demand, edges_of):
    even = pl.DataFrame({"region_id": ["eu"] * 2, "rung": ["240p", "1080p"], "share": [0.5, 0.5]})
    rows = plan(objects, demand, even, edges_of(12_000.0), region_id="eu").rows
    first = rows.filter(pl.col("segment_group") == 0).group_by("title_id", "rung").agg(pl.col("rank").min())
    small = first.filter(pl.col("rung") == "240p")["title_id"].n_unique()
    assert small > first.filter(pl.col("rung") == "1080p")["title_id"].n_unique()


def test_a_plan_expects_a_better_score_than_one_for_bytes_or_one_for_starts(
    objects, demand, rung_mix, edges_of, monkeypatch
):
    def expected(start_weight):
        with monkeypatch.context() as changed:
            changed.setattr(objective, "START_WEIGHT", start_weight)
            made = plan(objects, demand, rung_mix, edges_of(8_000.0), region_id="eu")
        return made.expected_hit_ratio, made.expected_start_ratio

    bytes_only, balanced, starts_only = expected(0.0), expected(objective.START_WEIGHT), expected(0.97)
    assert bytes_only[1] < balanced[1] <= starts_only[1]
    assert bytes_only[0] >= balanced[0] > starts_only[0]
    assert objective.score(*balanced) > max(objective.score(*bytes_only), objective.score(*starts_only))


def test_the_share_of_a_missing_rung_goes_to_the_next_lower_one(objects, demand, edges):
    mix = pl.DataFrame({"region_id": ["eu"], "rung": ["2160p"], "share": [1.0]})
    result = plan(objects, demand, mix, edges, region_id="eu")
    assert set(result.rows["rung"]) == {"1080p", "audio-en", "manifest"}
    mix = pl.DataFrame({"region_id": ["eu"], "rung": ["144p"], "share": [1.0]})
    result = plan(objects, demand, mix, edges, region_id="eu")
    assert set(result.rows["rung"]) == {"240p", "audio-en", "manifest"}


def test_titles_are_spread_and_the_hottest_are_copied(objects, demand, rung_mix, edges_of):
    result = plan(objects, demand, rung_mix, edges_of(12_000.0, 12_000.0), region_id="eu")
    copies = result.rows.group_by("title_id").agg(pl.col("edge_id").n_unique().alias("edges"))
    edges_by_title = dict(copies.iter_rows())
    assert edges_by_title["t-00"] == 2
    assert min(edges_by_title.values()) == 1
    share = [edge.placed_bytes for edge in result.edges]
    assert min(share) > 0.9 * max(share)


def test_no_two_copies_share_a_failure_domain(objects, demand, rung_mix, edges_of):
    edges = edges_of(50_000.0, 50_000.0, 50_000.0, domains=("a", "a", "b"))
    result = plan(objects, demand, rung_mix, edges, region_id="eu")
    domains = result.rows.join(edges.select("edge_id", "failure_domain"), on="edge_id")
    holders = domains.group_by("title_id", "failure_domain").agg(pl.col("edge_id").n_unique())
    assert holders["edge_id"].max() == 1
    assert domains.group_by("title_id").agg(pl.col("failure_domain").n_unique())["failure_domain"].max() == 2


def test_residents_are_kept_when_they_are_worth_about_as_much(objects, rung_mix, edges_of):
    edges = edges_of(5_000.0)
    even = pl.DataFrame(
        {
            "region_id": ["eu"] * 12,
            "title_id": [f"t-{i:02d}" for i in range(12)],
            "sessions": [10.0 + 0.1 * i for i in range(12)],
        }
    )
    first = plan(objects, even, rung_mix, edges, region_id="eu")
    turned = even.with_columns(pl.col("sessions").reverse())
    resident = first.rows.select("edge_id", *BLOCK)
    kept = plan(objects, turned, rung_mix, edges, resident, region_id="eu")
    fresh = plan(objects, turned, rung_mix, edges, region_id="eu")
    moved = fresh.rows.join(first.rows, on=["edge_id", *BLOCK], how="anti")["size_bytes"].sum()
    assert moved > 0
    assert kept.edges[0].fill_bytes < 0.5 * moved


def test_the_fill_budget_bounds_new_bytes(objects, demand, rung_mix, edges):
    settings = PlacementSettings(fill_budget_bytes=1_500)
    result = plan(objects, demand, rung_mix, edges, region_id="eu", settings=settings)
    assert all(0 < edge.fill_bytes <= 1_500 for edge in result.edges)
    decisions = set(result.candidates["decision"])
    assert "over the fill budget" in decisions


def test_titles_outside_their_licence_are_not_placed(objects, demand, rung_mix, edges, day):
    titles = pl.DataFrame(
        {
            "title_id": ["t-00", "t-01", "t-02", "t-03"],
            "licence_start": [None, day + dt.timedelta(days=3), day, None],
            "licence_end": [day - dt.timedelta(days=1), None, day, None],
        },
        schema_overrides={"licence_start": pl.Date, "licence_end": pl.Date},
    )
    result = plan(objects, demand, rung_mix, edges, region_id="eu", titles=titles, day=day)
    placed = set(result.rows["title_id"])
    assert not placed & {"t-00", "t-01"}
    assert {"t-02", "t-03"} <= placed
    assert any("2 titles are outside" in note for note in result.notes)


def test_demand_that_is_no_number_is_ignored_and_said(objects, demand, rung_mix, edges):
    broken = demand.with_columns(
        pl.when(pl.col("title_id") == "t-00").then(float("nan")).otherwise(pl.col("sessions")).alias("sessions")
    )
    result = plan(objects, broken, rung_mix, edges, region_id="eu")
    assert "t-00" not in result.rows["title_id"].to_list()
    assert any("1 of 12 demand rows ignored" in note for note in result.notes)


def test_a_region_without_demand_or_mix_takes_the_others(objects, demand, rung_mix, edges):
    elsewhere = demand.with_columns(pl.lit("sa").alias("region_id"))
    result = plan(objects, elsewhere, rung_mix.with_columns(pl.lit("sa").alias("region_id")), edges, region_id="eu")
    assert len(result.rows) > 0
    assert len(result.notes) == 2


def test_no_demand_anywhere_is_an_error(objects, demand, rung_mix, edges):
    with pytest.raises(NoDemand, match="forecast"):
        plan(objects, demand.head(0), rung_mix, edges, region_id="eu")


def test_an_edge_without_room_gets_nothing(objects, demand, rung_mix, edges_of):
    result = plan(objects, demand, rung_mix, edges_of(0.0, 9_000.0), region_id="eu")
    assert result.rows["edge_id"].unique().to_list() == ["e2"]
    assert any("e1 has no room" in note for note in result.notes)
    nowhere = plan(objects, demand, rung_mix, edges_of(0.0), region_id="eu")
    assert nowhere.rows.is_empty()
    assert nowhere.expected_hit_ratio == 0.0


def test_wrong_networks_are_refused(objects, demand, rung_mix, edges, edges_of):
    with pytest.raises(PlacementInputError, match="no edge"):
        plan(objects, demand, rung_mix, edges, region_id="mars")
    with pytest.raises(PlacementInputError, match="make no sense"):
        plan(objects, demand, rung_mix, edges_of(float("nan")), region_id="eu")
    doubled = pl.concat([objects, objects.with_columns(pl.lit("p2").alias("package_id"))])
    with pytest.raises(PlacementInputError, match="two packages"):
        plan(doubled, demand, rung_mix, edges, region_id="eu")
    with pytest.raises(PlacementInputError, match="size_bytes"):
        plan(objects.drop("size_bytes"), demand, rung_mix, edges, region_id="eu")


def test_a_plan_is_the_same_for_rows_in_any_order(objects, demand, rung_mix, edges):
    first = plan(objects, demand, rung_mix, edges, region_id="eu", label="x")
    shuffled = [frame.sample(fraction=1.0, shuffle=True, seed=4) for frame in (objects, demand, rung_mix, edges)]
    second = plan(*shuffled, region_id="eu", label="x")
    assert first.plan_id == second.plan_id
    assert first.plan_id.startswith("x-")
    assert first.rows.equals(second.rows)


def test_what_edges_expect_adds_up_to_their_region(objects, demand, rung_mix, edges_of):
    # with room for few titles: those that stand nowhere are sent somewhere too
    made = plan(objects, demand, rung_mix, edges_of(1_500.0, 800.0), region_id="eu")
    assert all(edge.expected_sessions > 0 for edge in made.edges)
    assert sum(edge.expected_sessions for edge in made.edges) == pytest.approx(demand["sessions"].sum())


def limited(edges, *limits):
    return edges.with_columns(upstream_limit_bytes=pl.Series(limits, dtype=pl.Float64))


def test_an_edge_keeps_its_upstream_limit_at_the_price_of_copies_and_starts(objects, demand, rung_mix, edges_of):
    edges = edges_of(20_000.0, 20_000.0)
    free = plan(objects, demand, rung_mix, edges, region_id="eu")
    limit = 0.97 * free.edges[0].expected_upstream_bytes
    kept = plan(objects, demand, rung_mix, limited(edges, limit, None), region_id="eu")
    assert kept.edges[0].expected_upstream_bytes <= limit
    assert kept.edges[0].upstream_price > 0
    assert kept.expected_start_ratio <= free.expected_start_ratio
    assert kept.expected_hit_ratio > free.expected_hit_ratio
    assert kept.notes == ()
    # the neighbour has no limit and nothing changes for it
    assert blocks_on(kept, "e2").drop("plan_id").equals(blocks_on(free, "e2").drop("plan_id"))


def test_a_limit_holds_back_fills_that_do_not_pay(objects, rung_mix, edges_of):
    # nine in ten sessions are of what stands there; what else would fit is filled for a tenth of a session
    resident = plan(objects, one_title("t-00", 9.0), rung_mix, edges_of(20_000.0), region_id="eu")
    few = pl.concat([one_title("t-00", 9.0), one_title("t-01", 0.1)])
    held = resident.rows.select("edge_id", *BLOCK)
    free = plan(objects, few, rung_mix, edges_of(20_000.0), held, region_id="eu")
    assert free.edges[0].fill_bytes > 0
    misses = free.edges[0].expected_upstream_bytes - free.edges[0].fill_bytes
    limit = misses + 0.5 * free.edges[0].fill_bytes
    kept = plan(objects, few, rung_mix, limited(edges_of(20_000.0), limit), held, region_id="eu")
    assert kept.edges[0].expected_upstream_bytes <= limit
    assert kept.edges[0].fill_bytes < free.edges[0].fill_bytes
    assert "its fill costs more than it saves upstream" in kept.candidates["decision"].to_list()


def test_a_limit_that_nothing_keeps_is_told_and_the_plan_comes_near(objects, demand, rung_mix, edges_of):
    free = plan(objects, demand, rung_mix, edges_of(8_000.0), region_id="eu")
    near = plan(objects, demand, rung_mix, limited(edges_of(8_000.0), 1_000.0), region_id="eu")
    assert near.edges[0].expected_upstream_bytes < free.edges[0].expected_upstream_bytes
    assert "more than its limit of 1000" in near.notes[0]


def test_a_limit_of_nothing_is_a_mistake(objects, demand, rung_mix, edges_of):
    with pytest.raises(PlacementInputError, match="give bytes > 0"):
        plan(objects, demand, rung_mix, limited(edges_of(8_000.0), 0.0), region_id="eu")


def one_title(title_id, sessions):
    return pl.DataFrame({"region_id": ["eu"], "title_id": [title_id], "sessions": [sessions]})
