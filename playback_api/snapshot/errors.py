"""What can be wrong with a snapshot.

SnapshotError, with its kinds: SnapshotMissing (nothing is published, or the named snapshot is not there),
SnapshotDamaged (a file is missing, has another size or hash, or cannot be decoded) and SnapshotVersionUnsupported
(written by another major version of the format).
"""

from __future__ import annotations


class SnapshotError(Exception):
    """A snapshot cannot be written, published or read."""


class SnapshotMissing(SnapshotError):
    """Nothing is published, or the named snapshot is not in the store."""


class SnapshotDamaged(SnapshotError):
    """A file of the snapshot is not what its manifest says."""


class SnapshotVersionUnsupported(SnapshotError):
    """The snapshot's major schema version is not the reader's."""
