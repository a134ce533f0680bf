from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from ml.recommender import (
    ModelFolderError,
    OnlineRecommender,
    RecentWatch,
    publish,
    read_interactions,
    read_title_facts,
    read_viewer_facts,
)
from ml.recommender.affinity import fit_affinity
from ml.recommender.fold_in import AGE_BAND, BECAUSE_WATCHED, NEW_TITLE, NEW_TITLE_POSITION, PICKED_GENRE, TRENDING
from ml.recommender.model_files import INDEX_FILE, OF_AGE, Blend, OnlineIndex, title_number_type
from ml.recommender.online import COMPUTED, NOTHING, SIGN_UP, STORED
from ml.recommender.top_n import Recipe, fit_top_n

ODD_VIEWER = "v-000003"


@pytest.fixture(scope="module")
def world(viewing, titles):
    facts = read_title_facts(titles)
    interactions = read_interactions(viewing, title_ids=facts.title_ids)
    return interactions, facts


@pytest.fixture(scope="module")
def folder(world, tmp_path_factory) -> Path:
    return published(world, tmp_path_factory.mktemp("published"))


def published(world, folder: Path, *, blend: Blend | None = None, facts=None) -> Path:
    interactions, known_facts = world
    model = fit_top_n(interactions, Recipe(blend=blend or Blend(trend_share=0.1)))
    affinity = fit_affinity(interactions, seed=0)
    publish(folder / "model", model, affinity, interactions, facts or known_facts, model_version="top-n-1")
    return folder / "model"


@pytest.fixture(scope="module")
def recommender(folder) -> OnlineRecommender:
    return OnlineRecommender.load(folder)


def ask(recommender: OnlineRecommender, **changes):
    question = {"viewer_id": ODD_VIEWER, "recent": [], "exclude": [], "region_id": None, "k": 5} | changes
    return recommender.recommend(**question).titles


def watched(recommender: OnlineRecommender, *title_ids: str, completion: float = 1.0) -> list[RecentWatch]:
    later = recommender.trained_through + dt.timedelta(hours=1)
    return [RecentWatch(title_id=title_id, completion=completion, watched_at=later) for title_id in title_ids]


def test_a_viewer_gets_titles_of_their_camp_and_none_that_they_have_seen(recommender, viewing):
    listed = ask(recommender)
    seen = set(viewing.filter(pl.col("viewer_id") == ODD_VIEWER)["title_id"])
    assert {int(title.title_id[2:]) % 2 for title in listed} == {1}
    assert not {title.title_id for title in listed} & seen
    assert [title.score for title in listed] == sorted((title.score for title in listed), reverse=True)
    assert all(title.because_title_id in seen for title in listed if title.reason == BECAUSE_WATCHED)


def test_the_list_made_at_training_equals_the_one_made_now(recommender):
    """An unknown region forces the list to be computed; trends aside it must be the same."""
    stored = ask(recommender, k=8)
    region = "north"  # where the viewer lives
    computed = ask(recommender, k=8, region_id=region, recent=watched(recommender, "unknown-title"))
    assert [title.title_id for title in stored] == [title.title_id for title in computed]


def test_a_list_shortened_by_exclusions_is_filled_up(recommender):
    everything = ask(recommender, k=30)
    excluded = [title.title_id for title in everything[:-3]]
    left = ask(recommender, k=3, exclude=excluded)
    assert {title.title_id for title in left} == {title.title_id for title in everything[-3:]}


def test_nobody_known_gets_nothing_so_that_the_caller_falls_back(recommender):
    assert ask(recommender, viewer_id="v-nobody") == []
    assert ask(recommender, viewer_id=None) == []
    assert ask(recommender, viewer_id="v-" + "9" * 60) == []
    assert ask(recommender, viewer_id="vé") == []


def test_an_unknown_viewer_is_known_by_what_they_just_watched(recommender):
    listed = ask(recommender, viewer_id=None, recent=watched(recommender, "s-0002", "s-0004"))
    assert {int(title.title_id[2:]) % 2 for title in listed} == {0}
    assert not {title.title_id for title in listed} & {"s-0002", "s-0004"}


def test_a_bounce_steers_nothing_but_counts_as_seen(recommender):
    assert ask(recommender, viewer_id=None, recent=watched(recommender, "s-0002", completion=0.02)) == []
    first = ask(recommender)[0].title_id
    after = ask(recommender, recent=watched(recommender, first, completion=0.02))
    assert first not in {title.title_id for title in after}


def test_what_training_knew_already_changes_nothing(recommender, viewing):
    last = viewing.filter(pl.col("viewer_id") == ODD_VIEWER).sort("started_at").tail(1)
    known = RecentWatch(title_id=last["title_id"][0], completion=1.0, watched_at=last["started_at"][0])
    assert ask(recommender, recent=[known]) == ask(recommender)


def test_the_order_of_recent_watches_does_not_matter(recommender):
    watches = [
        RecentWatch(title_id=f"s-{n:04d}", completion=0.8, watched_at=recommender.trained_through + dt.timedelta(n + 1))
        for n in (2, 7, 12)
    ]
    assert ask(recommender, recent=watches) == ask(recommender, recent=watches[::-1])


def test_new_titles_get_one_place_where_the_genre_fits(world, tmp_path):
    interactions, _ = world
    released = [dt.date(2020, 1, 1)] * 30 + [dt.date(2026, 9, 1)] * 2
    titles = pl.DataFrame(
        {
            "title_id": [f"s-{number:04d}" for number in range(32)],
            "package_id": ["p"] * 32,
            "genres": [["drama"] if number % 2 else ["comedy"] for number in range(32)],
            "release_date": released,
        }
    )
    facts = read_title_facts(titles)
    recommender = OnlineRecommender.load(published((interactions, facts), tmp_path))
    odd, even = ask(recommender), ask(recommender, viewer_id="v-000002")
    assert odd[NEW_TITLE_POSITION].title_id == "s-0031"
    assert even[NEW_TITLE_POSITION].title_id == "s-0030"
    assert odd[NEW_TITLE_POSITION].reason == NEW_TITLE
    assert [title.reason for title in odd].count(NEW_TITLE) == 1


def test_with_trends_alone_the_reason_says_so(world, tmp_path):
    recommender = OnlineRecommender.load(published(world, tmp_path, blend=Blend(trend_share=1000.0)))
    listed = ask(recommender)
    assert listed[0].reason == TRENDING
    assert listed[0].because_title_id is None


def test_affinities_are_those_of_the_model_and_only_for_what_it_knows(recommender, world):
    interactions, _ = world
    expected = fit_affinity(interactions, seed=0).predict([ODD_VIEWER], ["s-0005"])[0]
    found = recommender.affinity(ODD_VIEWER, ["s-0005", "no-such-title"])
    assert found == {"s-0005": pytest.approx(float(expected), abs=1e-5)}
    assert recommender.affinity("v-nobody", ["s-0005"]) == {}
    assert recommender.affinity(None, ["s-0005"]) == {}


def test_without_an_affinity_model_there_are_no_affinities(world, tmp_path):
    interactions, facts = world
    model = fit_top_n(interactions, Recipe())
    publish(tmp_path / "model", model, None, interactions, facts, model_version="1")
    assert OnlineRecommender.load(tmp_path / "model").affinity(ODD_VIEWER, ["s-0005"]) == {}


def test_a_champion_of_yesterday_knows_the_viewers_and_titles_of_today(world, viewing, titles, tmp_path):
    interactions, _ = world
    model = fit_top_n(interactions, Recipe())
    newcomer = viewing.filter(pl.col("viewer_id") == ODD_VIEWER).with_columns(
        viewer_id=pl.lit("a-newcomer"), session_id=pl.format("n-{}", pl.int_range(pl.len()))
    )
    more_titles = pl.concat([titles, titles.head(1).with_columns(title_id=pl.lit("a-new-title"))])
    facts = read_title_facts(more_titles)
    today = read_interactions(pl.concat([viewing, newcomer]), title_ids=facts.title_ids)
    publish(tmp_path / "model", model, None, today, facts, model_version="1")
    recommender = OnlineRecommender.load(tmp_path / "model")
    assert "a-new-title" in recommender.title_ids
    ids = [title.title_id for title in ask(recommender, viewer_id="a-newcomer")]
    assert ids == [title.title_id for title in ask(recommender)]


def test_publishing_never_edits_a_folder(world, folder):
    with pytest.raises(ModelFolderError, match="not empty"):
        published(world, folder.parent)


@pytest.mark.parametrize("spoil", ["missing", "truncated", "other-rows", "index", "version"])
def test_a_spoilt_folder_is_refused(world, tmp_path, spoil):
    folder = published(world, tmp_path)
    array = folder / "ease_weights.npy"
    index = folder / INDEX_FILE
    if spoil == "missing":
        array.unlink()
    elif spoil == "truncated":
        array.write_bytes(array.read_bytes()[:100])
    elif spoil == "other-rows":
        np.save(array, np.zeros((3, 3), np.float32))
    elif spoil == "index":
        index.write_bytes(b"\x00\x01")
    else:
        decoded = msgspec.msgpack.decode(index.read_bytes(), type=OnlineIndex)
        index.write_bytes(msgspec.msgpack.encode(msgspec.structs.replace(decoded, format_version=(99, 0))))
    with pytest.raises(ModelFolderError, match="publish"):
        OnlineRecommender.load(folder)


def test_the_loaded_arrays_are_mapped_and_cannot_be_changed(recommender):
    with pytest.raises(ValueError, match="read-only"):
        recommender._arrays.ease_weights[0, 0] = 1.0


def test_numbers_of_titles_leave_a_value_for_no_title():
    assert title_number_type(65_534) is np.uint16
    assert title_number_type(65_535) is np.uint32


def test_importing_it_pulls_in_nothing_heavy():
    heavy = ["polars", "pandas", "scipy", "surprise", "mlflow", "matplotlib", "dagster", "duckdb"]
    probe = f"import sys, ml.recommender.online; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[4]
    )
    assert shown.stdout.strip() == "[]"


def test_what_was_shown_for_days_and_not_taken_goes_down_on_every_path(world, recommender, tmp_path):
    interactions, facts = world
    before = [title.title_id for title in ask(recommender, k=8)]
    first = before[0]
    unanswered = pl.DataFrame(
        {
            "viewer_id": [ODD_VIEWER, ODD_VIEWER, "v-nobody", "v-000004"],
            "title_id": [first, "s-gone", first, first],
            "days_shown": [3, 9, 9, 9],
        }
    )
    model, affinity = fit_top_n(interactions, Recipe(blend=Blend(trend_share=0.1))), fit_affinity(interactions, seed=0)
    publication = publish(
        tmp_path / "model", model, affinity, interactions, facts, model_version="1", unanswered=unanswered
    )
    rested = OnlineRecommender.load(tmp_path / "model")

    assert publication.unanswered == 2
    assert [title.title_id for title in ask(rested, k=8)] == [*before[1:5], first, *before[5:]]
    assert [title.title_id for title in ask(rested, k=3)] == before[1:4], "the next title takes the free place"
    bounce = watched(rested, "s-0000", completion=0.01)  # makes the list be computed, and steers nothing
    computed = [title.title_id for title in ask(rested, recent=bounce, k=8)]
    undisturbed = [title.title_id for title in ask(recommender, recent=bounce, k=8)]
    assert computed == [*(title for title in undisturbed[:5] if title != first), first, *undisturbed[5:]]
    assert [t.title_id for t in ask(rested, viewer_id="v-000007")] == [
        t.title_id for t in ask(recommender, viewer_id="v-000007")
    ]


@pytest.fixture(scope="module")
def signed_up_folder(world, viewing, tmp_path_factory) -> Path:
    """The camps are of different ages, and the odd one picked crime; ``v-bounce`` has watched next to nothing, others
    nothing."""
    _, facts = world
    bounce = viewing.head(1).with_columns(
        session_id=pl.lit("b"), viewer_id=pl.lit("v-bounce"), title_id=pl.lit("s-0001"), completion=pl.lit(0.01)
    )
    interactions = read_interactions(pl.concat([viewing, bounce]), title_ids=facts.title_ids)
    ages = {viewer_id: "55+" if int(viewer_id[-1]) % 2 else "18-24" for viewer_id in viewing["viewer_id"].unique()}
    ages |= {"v-young": "18-24", "v-old": "55+", "v-bounce": "55+", "v-secret": "unknown"}
    picks = {viewer_id: ["crime"] for viewer_id, band in ages.items() if band == "55+" and viewer_id != "v-old"}
    ages |= dict.fromkeys(["v-crime", "v-both"]) | {"v-both": "18-24"}
    picks |= {"v-crime": ["crime", "western"], "v-both": ["crime"]}
    viewers = pl.DataFrame(
        {
            "viewer_id": list(ages),
            "age_band": list(ages.values()),
            "preferred_genres": [picks.get(viewer_id, []) for viewer_id in ages],
        }
    )
    folder = tmp_path_factory.mktemp("signed-up") / "model"
    model = fit_top_n(interactions, Recipe())
    viewer_facts = read_viewer_facts(viewers)
    publication = publish(folder, model, None, interactions, facts, model_version="1", viewer_facts=viewer_facts)
    assert publication.known_viewers == 85
    return folder


@pytest.fixture(scope="module")
def signed_up(signed_up_folder) -> OnlineRecommender:
    return OnlineRecommender.load(signed_up_folder)


def answer(recommender: OnlineRecommender, viewer_id: str, **changes):
    question = {"recent": [], "exclude": [], "region_id": "north", "k": 5} | changes
    return recommender.recommend(viewer_id=viewer_id, **question)


def test_who_has_watched_nothing_gets_what_others_of_the_age_watch(signed_up):
    for viewer_id, parity in (("v-young", 0), ("v-old", 1)):
        by_age = answer(signed_up, viewer_id)
        assert by_age.origin == SIGN_UP
        assert {int(title.title_id[2:]) % 2 for title in by_age.titles} == {parity}
        assert {(title.reason, title.because_title_id) for title in by_age.titles} == {(AGE_BAND, None)}
    assert "s-0001" not in {title.title_id for title in answer(signed_up, "v-bounce", k=30).titles}, "it was seen"
    excluded = [title.title_id for title in answer(signed_up, "v-old").titles]
    assert not {title.title_id for title in answer(signed_up, "v-old", exclude=excluded).titles} & set(excluded)


def test_who_picked_genres_gets_what_others_with_the_same_picks_watch(signed_up):
    picked = answer(signed_up, "v-crime")
    assert picked.origin == SIGN_UP
    assert {int(title.title_id[2:]) % 2 for title in picked.titles} == {1}
    assert {title.reason for title in picked.titles} == {PICKED_GENRE}
    age_and_picks = answer(signed_up, "v-both", k=30).titles
    reasons = {int(title.title_id[2:]) % 2: title.reason for title in age_and_picks}
    assert reasons == {0: AGE_BAND, 1: PICKED_GENRE}, "each title by the group that wants it"


def test_what_is_known_from_signing_up_fades_as_the_history_grows(signed_up):
    """Of the even camp by age, of the odd one by what is watched."""
    odd = [f"s-{number:04d}" for number in range(1, 30, 2)]

    def differing(count: int) -> int:
        """Of how many of five titles the age makes others."""
        question = {"recent": watched(signed_up, *odd[:count])}
        young, nobody = (answer(signed_up, viewer_id, **question) for viewer_id in ("v-young", "v-nobody"))
        assert young.origin == nobody.origin == COMPUTED
        return len({title.title_id for title in young.titles} - {title.title_id for title in nobody.titles})

    assert differing(1) > differing(4) >= differing(10)
    reasons = {t.reason for t in answer(signed_up, "v-young", recent=watched(signed_up, odd[0])).titles}
    assert AGE_BAND in reasons
    assert {t.reason for t in answer(signed_up, "v-nobody", recent=watched(signed_up, odd[0])).titles} <= {
        BECAUSE_WATCHED, TRENDING
    }  # fmt: skip


def test_lists_are_published_as_a_request_makes_them_with_what_is_known_from_signing_up(signed_up):
    bounce = watched(signed_up, "s-0000", completion=0.01)  # makes the list be computed, and steers nothing
    stored = answer(signed_up, "v-000007", exclude=["s-0000"])
    computed = answer(signed_up, "v-000007", recent=bounce)
    assert (stored.origin, computed.origin) == (STORED, COMPUTED)
    assert [(t.title_id, t.reason) for t in computed.titles] == [(t.title_id, t.reason) for t in stored.titles]


def test_without_anything_known_there_is_nothing_to_say(signed_up):
    assert answer(signed_up, "v-secret").origin == answer(signed_up, "v-nobody").origin == NOTHING


def test_a_folder_that_knows_ages_alone_still_opens(signed_up, signed_up_folder, tmp_path):
    """Format 2.2: one age band a viewer, and no groups."""
    older = tmp_path / "model"
    shutil.copytree(signed_up_folder, older)
    index = msgspec.msgpack.decode((older / INDEX_FILE).read_bytes(), type=OnlineIndex)
    of_age = [row for row, group in enumerate(index.groups) if group.startswith(OF_AGE)]
    groups, trend = np.load(older / "known_viewer_groups.npy"), np.load(older / "group_trend.npy")
    aged = groups & np.uint64(sum(1 << row for row in of_age)) > 0
    bands = [next(place for place, row in enumerate(of_age) if int(mask) >> row & 1) for mask in groups[aged]]
    np.save(older / "aged_viewer_ids.npy", np.load(older / "known_viewer_ids.npy")[aged])
    np.save(older / "aged_viewer_bands.npy", np.array(bands, np.uint8))
    np.save(older / "age_trend.npy", trend[of_age])
    for name in ("known_viewer_ids", "known_viewer_groups", "group_trend"):
        (older / f"{name}.npy").unlink()
    bands_alone = [index.groups[row].removeprefix(OF_AGE) for row in of_age]
    old_index = msgspec.structs.replace(index, format_version=(2, 2), groups=[], age_bands=bands_alone)
    (older / INDEX_FILE).write_bytes(msgspec.msgpack.encode(old_index))

    reopened = OnlineRecommender.load(older)
    assert answer(reopened, "v-old", k=30) == answer(signed_up, "v-old", k=30)
    assert answer(reopened, "v-crime").origin == NOTHING


@pytest.mark.parametrize(
    ("version", "absent"),
    [((2, 0), ("unanswered_*", "known_*", "group_*")), ((2, 1), ("known_*", "group_*"))],
    ids=["2.0", "2.1"],
)
def test_a_folder_of_an_earlier_minor_version_still_opens(folder, tmp_path, version, absent):
    older = tmp_path / "model"
    shutil.copytree(folder, older)
    for pattern in absent:
        for path in older.glob(f"{pattern}.npy"):
            path.unlink()
    index = msgspec.msgpack.decode((older / INDEX_FILE).read_bytes(), type=OnlineIndex)
    (older / INDEX_FILE).write_bytes(msgspec.msgpack.encode(msgspec.structs.replace(index, format_version=version)))

    assert ask(OnlineRecommender.load(older)) == ask(OnlineRecommender.load(folder))
