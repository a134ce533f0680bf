"""Heartbeats on disk between two players: what one could not send, the next one sends.

One file a batch, written beside and renamed, so that a crash leaves whole files only. The folder is bounded; the oldest
files go first. Sending a beat twice does no harm (its key is the same), so a file is removed when it is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from player_sdk.heartbeat import Beat

_SUFFIX = ".beats"


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
            self._drop_oldest()
        except OSError:
            return list(beats)
        return []

    def take(self) -> list[tuple[str, Beat]]:
        """Read all beats and remove their files; a file that cannot be read is removed too."""
        beats: list[tuple[str, Beat]] = []
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                spooled = msgspec.msgpack.decode(path.read_bytes(), type=list[_Spooled])
                path.unlink()
            except msgspec.DecodeError:
                path.unlink(missing_ok=True)
            except FileNotFoundError:
                continue  # another player took it
            else:
                beats.extend((item.beats_url, item.beat) for item in spooled)
        return beats

    def _drop_oldest(self) -> None:
        files = sorted(self._folder.glob(f"*{_SUFFIX}"))
        sizes = [path.stat().st_size for path in files]
        total = sum(sizes)
        for path, size in zip(files, sizes, strict=True):
            if total <= self._limit_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size
