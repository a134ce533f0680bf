"""Files beside a master that belong to it: captions and what is to be said about the title.

``film.mp4`` may come with ``film.en.srt``, ``film.sv.sdh.vtt`` or ``film.toml``. Which file belongs to which master is
told by names alone; nothing is read here.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestration.media.languages import UNKNOWN, language_tag
from orchestration.media.masters import CAPTION_EXTENSIONS, DESCRIPTION_EXTENSIONS, is_master, readable

CaptionRole = Literal["subtitles", "captions", "forced"]
_ROLES: dict[str, CaptionRole] = {
    "sdh": "captions", "cc": "captions", "hi": "captions", "captions": "captions", "forced": "forced",
}  # fmt: skip
_HINDI = "hi"
"""Hearing impaired after a language, Hindi by itself."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class CaptionFile:
    """A sidecar with captions; what its name says. ``label`` is what of the name is neither language nor flag."""

    path: Path
    language: str
    role: CaptionRole
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Sidecars:
    """What stands beside one master.

    Attributes:
        captions: By name.
        descriptions: At most one is of use; which, is for `description.py` to say.
    """

    captions: list[CaptionFile]
    descriptions: list[Path]

    @property
    def paths(self) -> list[Path]:
        """All files, by name."""
        return sorted([*(caption.path for caption in self.captions), *self.descriptions])


def find_sidecars(master: Path) -> Sidecars:
    """The sidecars of a master; a file goes to the master with the longest name that fits."""
    others = [path for path in _siblings(master) if is_master(path)]
    return sidecars_by_master([master, *others])[master]


def sidecars_by_master(masters: Collection[Path]) -> dict[Path, Sidecars]:
    """The sidecars of all masters, by one look at each of their folders."""
    found = {master: Sidecars(captions=[], descriptions=[]) for master in masters}
    owners: dict[Path, list[Path]] = defaultdict(list)
    for master in masters:
        owners[master.with_suffix("")].append(master)
    for folder in {master.parent for master in masters}:
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            extension = path.suffix.lower()
            if extension not in CAPTION_EXTENSIONS | DESCRIPTION_EXTENSIONS or not path.is_file():
                continue
            stem = next((stem for stem in _shorter_and_shorter(path.with_suffix("")) if stem in owners), None)
            for master in owners[stem] if stem is not None else []:
                if extension in CAPTION_EXTENSIONS:
                    found[master].captions.append(_caption_file(path, readable(path.stem[len(master.stem) + 1 :])))
                elif path.stem == master.stem:
                    found[master].descriptions.append(path)
    return found


def fingerprint(sidecars: Sidecars) -> str:
    """Which files these are, by name, size and time; empty for none. A file that is gone meanwhile counts as absent."""
    known = []
    for path in sidecars.paths:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        known.append(f"{path.name}:{status.st_size}:{status.st_mtime_ns}")
    return hashlib.sha256(os.fsencode("\n".join(known))).hexdigest()[:16] if known else ""


def written_s(path: Path) -> float:
    """When a file was written last, Unix seconds; 0 when it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _siblings(master: Path) -> list[Path]:
    if not master.parent.is_dir():
        return []
    return [path for path in master.parent.iterdir() if path != master and path.name.startswith(f"{master.stem}.")]


def _shorter_and_shorter(stem: Path) -> Iterator[Path]:
    """``film.en.sdh``, ``film.en``, ``film``."""
    words = stem.name.split(".")
    for count in range(len(words), 0, -1):
        yield stem.parent / ".".join(words[:count])


def _caption_file(path: Path, between: str) -> CaptionFile:
    """Read ``en.sdh`` of ``film.en.sdh.srt``: flags and a language in any order, the rest is a label."""
    language, role, label = "", None, []
    for word in filter(None, between.split(".")):
        is_language = word.lower() == _HINDI and not language
        if word.lower() in _ROLES and role is None and not is_language:
            role = _ROLES[word.lower()]
        elif not language and _LANGUAGE.fullmatch(word):
            language = language_tag(word.replace("_", "-"))
        else:
            label.append(word)
    return CaptionFile(path=path, language=language or UNKNOWN, role=role or "subtitles", label=" ".join(label))
