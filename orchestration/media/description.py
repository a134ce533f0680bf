"""What a sidecar says about a title: ``film.toml`` or ``film.json`` beside the master, for the catalogue.

The fields are those of the catalogue drop (docs/contracts.md), without ids, and the title's priority in the queue. A
field that is wrong is told and left out; the others count.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

MAX_BYTES = 200_000
_OTHER_NAMES = {"title": "name", "license_start": "licence_start", "license_end": "licence_end", "genre": "genres"}


class TitleDescription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One title as its deliverer describes it; None where nothing was said.

    ``priority`` orders the work and is none of the catalogue's: a premiere is 10, a backfill -10, all else 0.
    """

    name: str | None = None
    kind: str | None = None
    genres: list[str] | None = None
    language: str | None = None
    maturity_age: int | None = None
    release_date: dt.date | None = None
    runtime_s: float | None = None
    synopsis: str | None = None
    licence_start: dt.date | None = None
    licence_end: dt.date | None = None
    priority: Annotated[int, msgspec.Meta(ge=-1000, le=1000)] | None = None


def read_description(paths: Sequence[Path]) -> tuple[TitleDescription | None, list[str]]:
    """The description from the first of some files, and what was not as it should be.

    A file that cannot be read at all gives no description, never an error.
    """
    if not paths:
        return None, []
    path, *others = paths
    warnings = [f"{other.name} is not read: {path.name} describes the title already" for other in others]
    try:
        given = _load(path)
    except (OSError, ValueError) as error:  # both formats' errors are ValueErrors, and so are those of the encoding
        return None, [*warnings, f"{path.name} is left out: {error}"]
    fields: dict[str, Any] = {}
    kinds = {field.name: field.type for field in msgspec.structs.fields(TitleDescription)}
    for key, value in given.items():
        name = _OTHER_NAMES.get(key, key)
        if name not in kinds:
            warnings.append(f"{path.name}: {key} is not used; known are {', '.join(kinds)}")
            continue
        if name == "genres" and isinstance(value, str):
            value = [value]
        try:
            fields[name] = msgspec.convert(value, kinds[name])
        except msgspec.ValidationError as error:
            warnings.append(f"{path.name}: {key} is left out: {error}")
    if fields.get("kind") not in (None, "film", "series"):
        warnings.append(f"{path.name}: kind is left out: {fields.pop('kind')!r} is neither film nor series")
    for name in ("name", "synopsis", "language"):
        if name in fields and not (fields[name] or "").strip():
            fields.pop(name)
    if (fields.get("licence_start") or dt.date.min) > (fields.get("licence_end") or dt.date.max):
        warnings.append(f"{path.name}: the licence ends before it starts; both dates are left out")
        fields.pop("licence_start")
        fields.pop("licence_end")
    return TitleDescription(**fields), warnings


def _load(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    if len(content) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} bytes describe no title")
    if path.suffix.lower() == ".toml":
        given: Any = tomllib.loads(content.decode("utf-8-sig"))
    else:
        try:
            given = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
        except msgspec.DecodeError as error:
            raise ValueError(f"it is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise ValueError("it is no table of fields")
    return given
