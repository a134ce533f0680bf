"""A package as the checker reads it: every object once, held against what ``objects.json`` says of it."""

from __future__ import annotations

import hashlib
import posixpath

from orchestration.media.check.findings import Finding, error
from orchestration.media.objects import ARTWORK_RUNG, PackageRecord, media_prefix
from orchestration.media.protection import PROTECTION_NAME
from orchestration.store import ObjectStore, StoreError


class CheckedPackage:
    """Objects by key, below the title. What is wrong with an object itself goes to ``findings``, once.

    Attributes:
        sizes_bytes: Of every listed object, as the record says until it is read and is not so.
        findings: Objects that are gone, or are not what the record says.
        used: Keys that something in the package refers to.
    """

    def __init__(self, store: ObjectStore, record: PackageRecord) -> None:
        self.record = record
        self.sizes_bytes = {item.key: item.size_bytes for item in record.objects}
        self.findings: list[Finding] = []
        self.used = {record.hls_key, record.dash_key, *([record.poster_key] if record.poster_key else [])}
        self._store = store
        self._sha256 = {item.key: item.sha256 for item in record.objects}
        self._read: set[str] = set()

    def read(self, key: str) -> bytes | None:
        """An object that is what the record says; None when it is not."""
        first = key not in self._read
        self._read.add(key)
        try:
            content = self._store.read_bytes(media_prefix(self.record.title_id) + key)
        except StoreError:
            fault = error("object-exists", key, "listed in objects.json, not in the store")
        else:
            if len(content) != self.sizes_bytes[key]:
                message = f"{len(content)} bytes in the store, {self.sizes_bytes[key]} in objects.json"
                fault = error("object-size", key, message)
                self.sizes_bytes[key] = len(content)  # what rates are measured by
            elif hashlib.sha256(content).hexdigest() != self._sha256[key]:
                fault = error("object-hash", key, "its sha256 is not the one in objects.json")
            else:
                return content
        if first:
            self.findings.append(fault)
        return None

    def read_text(self, key: str) -> str | None:
        """A manifest or text track; None when it is not what the record says."""
        content = self.read(key)
        return None if content is None else content.decode("utf-8", "replace")

    def use(self, manifest_key: str, uri: str) -> str | None:
        """The key that a manifest's URI means, noted as used; None when the package has no such object."""
        key = posixpath.normpath(posixpath.join(posixpath.dirname(manifest_key), uri))
        if not uri or key not in self.sizes_bytes:
            return None
        self.used.add(key)
        return key

    def read_the_rest(self) -> None:
        """Hold every object against the record that no rule has read so far."""
        for key in self.sizes_bytes:
            if key not in self._read:
                self.read(key)

    def unused(self) -> list[str]:
        """Media and manifests that nothing refers to. Artwork and key ids are found by their names."""
        by_name = {item.key for item in self.record.objects if item.rung == ARTWORK_RUNG}
        by_name.add(f"{posixpath.dirname(self.record.hls_key)}/{PROTECTION_NAME}")
        return sorted(self.sizes_bytes.keys() - self.used - by_name)
