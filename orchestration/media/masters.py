"""Which files of the masters folder are masters, and which title each of them is.

A pure look at a folder: no register is kept. A title's id is the slug of its file's name. Where two names give one
slug, the file that the title was made of keeps it (or the first by name when there is none yet) and the others get a
suffix from their own name.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from orchestration.media.container import sniff_container
from orchestration.media.errors import MasterMissing

MAX_TITLE_ID_LENGTH = 64
SUFFIX_LENGTH = 6
MEDIA_EXTENSIONS = frozenset({
    ".3gp", ".asf", ".avi", ".flv", ".ivf", ".m2ts", ".m4a", ".m4b", ".m4v", ".mj2", ".mkv", ".mov", ".mp4", ".mpeg",
    ".mpg", ".mts", ".mxf", ".ogg", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv",
})  # fmt: skip
CAPTION_EXTENSIONS = frozenset({".ass", ".dfxp", ".srt", ".ssa", ".ttml", ".vtt"})
DESCRIPTION_EXTENSIONS = frozenset({".json", ".toml"})
OTHER_EXTENSIONS = frozenset({
    ".crdownload", ".csv", ".filepart", ".gif", ".html", ".jpeg", ".jpg", ".log", ".md", ".md5", ".nfo", ".part",
    ".partial", ".pdf", ".png", ".sha1", ".sha256", ".stl", ".sub", ".sup", ".temp", ".tmp", ".txt", ".uploading",
    ".webp", ".xml", ".yaml", ".yml",
})  # fmt: skip
"""What lies about in such folders and is neither a master nor read: pictures, notes, checksums, unfinished uploads."""
NO_MASTERS = CAPTION_EXTENSIONS | DESCRIPTION_EXTENSIONS | OTHER_EXTENSIONS


def is_master(path: Path) -> bool:
    """Whether a file is to be ingested.

    A media extension is taken at its word, so that a file that breaks it is refused aloud and not overlooked. Hidden
    files, unfinished uploads and sidecar files are no masters; any other name counts if it starts like a container.
    """
    if path.name.startswith(".") or not path.is_file():
        return False
    extension = path.suffix.lower()
    if extension in MEDIA_EXTENSIONS:
        return True
    if extension in NO_MASTERS:
        return False
    try:
        return sniff_container(path) is not None
    except FileNotFoundError:  # taken away between two looks
        return False
    except OSError:
        return True  # its own run tells that it cannot be read


def readable(name: str) -> str:
    r"""A file's name as text: bytes that are no UTF-8 become ``\xe9`` and the like, fit for records and logs."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def slug(text: str) -> str:
    """A file's name in the form of an id: ``Über Land (2024)`` becomes ``uber-land-2024``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not words:  # a name without a Latin letter
        return f"title-{_suffix(text)}"
    return words[:MAX_TITLE_ID_LENGTH].strip("-")


def _nobody(_title_id: str) -> str | None:
    return None


def masters_by_title(folder: Path, holder: Callable[[str], str | None] = _nobody) -> dict[str, Path]:
    """Every master of a folder by title id; empty when there is no such folder.

    Args:
        folder: Where masters land; subfolders are not looked at.
        holder: Names the file that a title was made of, None when there is no such title yet.
    """
    if not folder.is_dir():
        return {}
    claims: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if is_master(path):
            claims[slug(path.stem)].append(path)
    titles: dict[str, Path] = {}
    for title_id, paths in claims.items():
        held_by = holder(title_id) if len(paths) > 1 else None
        keeper = next((path for path in paths if readable(path.name) == held_by), paths[0])
        for path in paths:
            titles[title_id if path == keeper else _with_suffix(title_id, path.name)] = path
    return titles


def find_master(folder: Path, title_id: str, holder: Callable[[str], str | None] = _nobody) -> Path:
    """The master of a title.

    Raises:
        MasterMissing: No file of the folder belongs to it.
    """
    path = masters_by_title(folder, holder).get(title_id)
    if path is None:
        raise MasterMissing(f"no file in {folder} belongs to title {title_id!r}; deliver its master there")
    return path


def _with_suffix(title_id: str, file_name: str) -> str:
    return f"{title_id[: MAX_TITLE_ID_LENGTH - SUFFIX_LENGTH - 1]}-{_suffix(file_name)}"


def _suffix(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:SUFFIX_LENGTH]
