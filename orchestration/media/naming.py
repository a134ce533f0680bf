"""Names that people choose sound and captions by: each of them once."""

from __future__ import annotations

from collections.abc import Collection


def first_free(wish: str, numbering: str, taken: Collection[str]) -> str:
    """``wish``, or with the first free number from 2 on, which ``numbering`` forms: ``" ({})"`` gives ``en (2)``."""
    number, name = 1, wish
    while name in taken:
        number += 1
        name = wish + numbering.format(number)
    return name


def as_label(text: str) -> str:
    """A name as it may stand in a quoted attribute of a playlist: on one line, without double quotes."""
    return " ".join(text.replace('"', "'").split())
