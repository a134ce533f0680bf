"""Keys on their way to the packager: in a file that is gone afterwards, and in no command line."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def key_file(folder: Path, labels: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """The packager's option that names a file with its ``--keys``; the file is in ``folder`` and for this user alone.

    Args:
        folder: Takes the file.
        labels: The fields of each key, such as ``label``, ``key_id`` and ``key``.
    """
    keys = ",".join(":".join(f"{name}={value}" for name, value in fields.items()) for fields in labels)
    descriptor, name = tempfile.mkstemp(prefix="keys-", dir=folder)  # readable by this user alone
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"--keys={keys}\n")
        yield f"--flagfile={name}"
    finally:
        Path(name).unlink()
