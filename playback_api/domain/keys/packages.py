"""Which keys a package needs, read from the ``protection.json`` beside its manifests: key ids, never keys."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path

import msgspec

logger = logging.getLogger(__name__)

MAX_REMEMBERED = 4096


class ProtectedPackage(msgspec.Struct, frozen=True, kw_only=True):
    """``protection.json``: 32 hexadecimal digits a key id."""

    key_ids: list[str]


class ProtectedPackages:
    """Reads packages from the media store and remembers them: a package never changes."""

    def __init__(self, store_folder: Path) -> None:
        self._store_folder = store_folder
        self._remembered: OrderedDict[tuple[str, str], frozenset[bytes]] = OrderedDict()

    def key_ids(self, title_id: str, package_id: str) -> frozenset[bytes]:
        """The key ids of a package; empty when it is in the clear or gone, and when it cannot be read, which is logged.

        Both ids come from a token.
        """
        package = (title_id, package_id)
        if package in self._remembered:
            self._remembered.move_to_end(package)
            return self._remembered[package]
        path = self._store_folder / "media" / title_id / "p" / package_id / "protection.json"
        try:
            read = msgspec.json.decode(path.read_bytes(), type=ProtectedPackage)
            key_ids = frozenset(bytes.fromhex(key_id) for key_id in read.key_ids)
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as error:  # msgspec's DecodeError is a ValueError
            logger.error("%s cannot be read, so nobody gets its keys: %s", path, error)
            return frozenset()
        self._remembered[package] = key_ids
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return key_ids
