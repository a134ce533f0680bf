"""Readable names and synopses for titles that do not exist."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ADJECTIVES = _words(
    "Quiet Crimson Hidden Distant Golden Broken Silent Northern Velvet Hollow Burning Paper Midnight Winter Salted "
    "Wandering Electric Gentle Fallen Secret Restless Silver Endless Borrowed Tidal Amber Frozen Honest Crooked Last"
)
_NOUNS = _words(
    "Harbour Lantern Orchard Signal Compass Garden Bridge Meridian Station Letter Engine Carnival Archive Monsoon Tide "
    "Promise Kitchen Detective Orchestra Voyage Lighthouse Market Shadow Mountain Festival Witness River Clockmaker "
    "Satellite Border Kingdom Summer"
)
_PLACES = _words(
    "Uppsala Recife Pune Bergen Salvador Jaipur Tromso Santos Kochi Lund Belem Mysore Visby Curitiba Goa Umea Natal"
)
_PEOPLE = _words("Astrid Joaquim Meera Elias Beatriz Arjun Freja Otavio Leela Nils Clarice Kabir")
_SUBJECTS = (
    "two sisters who inherit a ferry",
    "a retired referee with one last match",
    "a radio operator who hears a voice from the past",
    "a family kitchen that must feed a whole town",
    "an accountant who finds a map in the books",
    "a night train and the passengers nobody counts",
    "a botanist in search of a lost seed",
    "three students and a borrowed camera",
    "a village that votes to move uphill",
    "a cellist who cannot sleep",
    "a pilot grounded by fog for a week",
    "a teacher who learns to swim at sixty",
)


def make_names(rng: np.random.Generator, count: int) -> list[str]:
    """Draw distinct names.

    Args:
        rng: Source of randomness.
        count: How many; when the words run out, a name gets a numeral.
    """
    names: list[str] = []
    used: dict[str, int] = {}
    while len(names) < count:
        name = _draw_name(rng)
        used[name] = used.get(name, 0) + 1
        names.append(name if used[name] == 1 else f"{name} {used[name]}")
    return names


def make_synopsis(rng: np.random.Generator, kind: str, genres: Sequence[str]) -> str:
    """One sentence about a title."""
    subject = _SUBJECTS[rng.integers(len(_SUBJECTS))]
    place = _PLACES[rng.integers(len(_PLACES))]
    article = "An" if genres[0][0] in "aeiou" else "A"
    return f"{article} {genres[0].replace('-', ' ')} {kind} about {subject}, set in {place}."


def _draw_name(rng: np.random.Generator) -> str:
    adjective = _ADJECTIVES[rng.integers(len(_ADJECTIVES))]
    noun, other = (_NOUNS[index] for index in rng.choice(len(_NOUNS), size=2, replace=False))
    place = _PLACES[rng.integers(len(_PLACES))]
    person = _PEOPLE[rng.integers(len(_PEOPLE))]
    patterns = (
        f"The {adjective} {noun}",
        f"{adjective} {noun}",
        f"The {noun} of {place}",
        f"{person} and the {noun}",
        f"{noun} and {other}",
        f"{person}'s {adjective} {noun}",
        f"Goodbye, {place}",
    )
    return patterns[rng.integers(len(patterns))]
