"""Heartbeats on disk between two players: what one could not send, the next one sends.

One file a batch, written beside and renamed, so that a crash leaves whole files only. The folder is bounded; the oldest
files go first. Sending a beat twice does no harm (its key is the same), so a file stays until its beats were
delivered: a player that is killed in between loses none.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from player_sdk.heartbeat import Beat

_SUFFIX = ".beats"

logger = logging.getLogger(__name__)


class _Spooled(msgspec.Struct, frozen=True, kw_only=True):
    beats_url: str
    beat: Beat


class BeatSpool:
    """A bounded folder of unsent heartbeats.

    Args:
        folder: Made when missing.
        limit_bytes: Size of all files together.
    """

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def keep(self, beats: Sequence[tuple[str, Beat]]) -> list[tuple[str, Beat]]:
        """Write beats down; returns those that could not be kept."""
        if not beats:
            return []
        body = msgspec.msgpack.encode([_Spooled(beats_url=url, beat=beat) for url, beat in beats])
        first = beats[0][1]
        name = f"{first.sent_at:%Y%m%dT%H%M%S%f}-{first.session_id}-{first.boot}-{first.seq}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part = self._folder / f"{name}.part"
            part.write_bytes(body)
            part.replace(self._folder / f"{name}{_SUFFIX}")
        except OSError as error:
            logger.warning("%d heartbeats cannot be kept in %s: %s", len(beats), self._folder, error)
            return list(beats)
        try:
            self._drop_oldest()
        except OSError as error:  # the beats are kept all the same
            logger.warning("%s cannot be held to its size: %s", self._folder, error)
        return []

    def read(self, *, max_beats: int) -> dict[Path, list[tuple[str, Beat]]]:
        """Beats by the file that keeps them, the oldest file first; a file that is no spool is removed.

        Args:
            max_beats: What the caller has room for; a file that does not fit whole is left for another time.
        """
        found: dict[Path, list[tuple[str, Beat]]] = {}
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                spooled = msgspec.msgpack.decode(path.read_bytes(), type=list[_Spooled])
            except ValueError as error:  # msgspec's DecodeError and UnicodeDecodeError both are
                logger.warning("%s holds no heartbeats and is removed: %s", path, error)
                self.remove(path)
            except FileNotFoundError:
                continue  # another player sent it
            except OSError as error:
                logger.warning("%s cannot be read now: %s", path, error)
            else:
                if len(spooled) <= max_beats:
                    max_beats -= len(spooled)
                    found[path] = [(item.beats_url, item.beat) for item in spooled]
        return found

    def remove(self, path: Path) -> None:
        """A file's beats are delivered; one that cannot be removed is sent again later, which does no harm."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("%s cannot be removed: %s", path, error)

    def _drop_oldest(self) -> None:
        files = sorted(self._folder.glob(f"*{_SUFFIX}"))
        sizes = [path.stat().st_size for path in files]
        total = sum(sizes)
        for path, size in zip(files, sizes, strict=True):
            if total <= self._limit_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size
