import datetime as dt

import polars as pl

from orchestration.defs.serving.content import gather_content
from orchestration.defs.serving.sources import PublishedRecommender
from orchestration.edge.plan import PlacementPlan
from playback_api.snapshot.testing import make_topology


def titles(*rows):
    def row(title_id, package_id):
        return {
            "title_id": title_id, "package_id": package_id, "name": title_id.upper(), "kind": "film",
            "genres": ["drama"], "language": "en", "maturity_age": 7, "release_date": dt.date(2026, 1, 1),
            "duration_s": 60.0 if package_id else None, "size_bytes": 1000 if package_id else None,
            "hls_path": f"media/{title_id}/p/{package_id}/master.m3u8" if package_id else None,
            "dash_path": f"media/{title_id}/p/{package_id}/manifest.mpd" if package_id else None,
            "poster_path": None, "synopsis": "", "licence_start": None, "licence_end": None,
        }  # fmt: skip

    return pl.DataFrame([row(*each) for each in rows])


def rungs(*rows):
    columns = {"title_id": pl.String, "package_id": pl.String, "rung": pl.String, "width": pl.Int64,
               "height": pl.Int64, "bitrate_bps": pl.Int64, "codecs": pl.String}  # fmt: skip
    full = [
        (title, package, f"{height}p", height * 16 // 9, height, height * 1000, "avc1")
        for title, package, height in rows
    ]
    return pl.DataFrame(full, schema=columns, orient="row")


def popularity(*rows):
    columns = {"region_id": pl.String, "title_id": pl.String, "rank": pl.Int64, "score": pl.Float64}
    return pl.DataFrame(list(rows), schema=columns, orient="row")


def plan(region_id, *rows):
    columns = {"plan_id": pl.String, "region_id": pl.String, "edge_id": pl.String, "title_id": pl.String,
               "package_id": pl.String, "rung": pl.String, "segment_group": pl.Int64, "value": pl.Float64,
               "size_bytes": pl.Int64, "rank": pl.Int64}  # fmt: skip
    full = [("plan-7", region_id, *row, 1.0, 10, rank) for rank, row in enumerate(rows)]
    return PlacementPlan(plan_id="plan-7", region_id=region_id, rows=pl.DataFrame(full, schema=columns, orient="row"))


def gather(**changes):
    given = {
        "titles": titles(("a", "p1"), ("b", "p2"), ("c", None)),
        "rungs": rungs(("a", "p1", 480), ("a", "p1", 240), ("b", "p2", 240)),
        "popularity": popularity(("north", "b", 2, 1.0), ("north", "a", 1, 3.0), ("*", "c", 1, 9.0)),
        "topology": make_topology(),
        "plans": [],
        "recommender": PublishedRecommender(folder=None, models=[]),
    } | changes
    return gather_content(**given)


def test_only_playable_titles_are_published_with_their_rungs_from_low_to_high():
    gathered = gather()
    assert [title.title_id for title in gathered.content.titles] == ["a", "b"]
    assert [rung.rung for rung in gathered.content.titles[0].rungs] == ["240p", "480p"]
    assert gathered.not_playable == 1


def test_rungs_of_another_package_are_not_taken():
    gathered = gather(rungs=rungs(("a", "old", 240), ("b", "p2", 240)))
    assert gathered.content.titles[0].rungs == []


def test_popularity_is_in_order_of_rank_and_names_playable_titles_only():
    popular = gather().content.popularity
    assert [entry.title_id for entry in popular["north"]] == ["a", "b"]
    assert "*" not in popular


def test_plans_become_look_ups_by_edge():
    plans = [
        plan("north", ("north-1", "a", "p1", "240p", 1), ("north-1", "a", "p1", "240p", 0),
             ("north-2", "b", "p2", "manifest", 0)),
        plan("south", ("south-1", "a", "p1", "480p", 0)),
    ]  # fmt: skip
    gathered = gather(plans=plans)
    assert gathered.content.placement == {
        "north-1": {"a": {"240p": [0, 1]}},
        "north-2": {"b": {"manifest": [0]}},
        "south-1": {"a": {"480p": [0]}},
    }
    assert gathered.content.placement_plan_ids == {"north": "plan-7", "south": "plan-7"}
    assert gathered.outdated_groups == 0


def test_what_a_plan_says_of_a_withdrawn_title_or_an_old_package_is_left_out_and_counted():
    plans = [plan("north", ("north-1", "a", "old", "240p", 0), ("north-1", "gone", "p9", "240p", 0))]
    gathered = gather(plans=plans)
    assert gathered.content.placement == {}
    assert gathered.outdated_groups == 2


def test_an_empty_warehouse_gives_an_empty_content_for_the_check_to_refuse():
    empty = gather(titles=titles(("c", None)), rungs=rungs(), popularity=popularity())
    assert empty.content.titles == []
