import datetime as dt
import math

import msgspec
import pytest

from playback_api.domain.search.index import SearchIndex, edit_distance, words_of
from playback_api.snapshot.testing import make_title


def title(title_id, name, genres=()):
    return msgspec.structs.replace(
        make_title(1), title_id=title_id, name=name, genres=list(genres), release_date=dt.date(2020, 1, 1)
    )


@pytest.fixture
def index():
    titles = [
        title("matrix", "The Matrix", ["science-fiction"]),
        title("amelie", "Le Fabuleux Destin d'Amélie Poulain", ["romance"]),
        title("drama", "Drama Queens", ["comedy"]),
        title("silent", "Silent Night", ["drama"]),
        title("nightmare", "Nightmare Harbour", ["drama"]),
    ]
    return SearchIndex(titles, {"nightmare": 1.0, "silent": 0.2})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("matrix", ["matrix"]),
        ("MATRIX the", ["matrix"]),
        ("mat", ["matrix"]),
        ("amelie", ["amelie"]),
        ("Amélie", ["amelie"]),
        ("matirx", ["matrix"]),
        ("fabulex", ["amelie"]),
        ("nightmaer harbor", ["nightmare"]),
        ("fiction", ["matrix"]),
        ("matrix comedy", []),
        ("xyzzy", []),
        ("!!!", []),
        ("cat", []),
    ],
)
def test_what_is_found(index, query, found):
    assert index.find(query) == found


def test_names_go_before_genres_whole_words_before_beginnings_and_ties_by_popularity(index):
    assert index.find("drama") == ["drama", "nightmare", "silent"]
    assert index.find("night") == ["silent", "nightmare"]


def test_words_lose_case_and_accents():
    assert words_of("Ça va, L'Étoile_2?") == ["ca", "va", "l", "etoile", "2"]


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("night", "night", 0), ("nigth", "night", 1), ("nght", "night", 1), ("nights", "night", 1), ("naght", "night", 1)],
)
def test_edit_distance(first, second, distance):
    assert edit_distance(first, second, limit=2) == distance


def test_edit_distance_gives_up_beyond_the_limit():
    assert edit_distance("aaaaaa", "bbbbbb", limit=2) == math.inf
