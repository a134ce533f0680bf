"""How fast networks were when they were last used: a better start than the lowest rung, also after a restart."""

from __future__ import annotations

import datetime as dt
import logging
import math
from pathlib import Path

import msgspec

_MAX_AGE = dt.timedelta(days=7)

_log = logging.getLogger(__name__)


class _Measured(msgspec.Struct, frozen=True, kw_only=True):
    throughput_bps: float
    at: dt.datetime


class NetworkMemory:
    """Throughput by network, in one small file that players share.

    A new measurement and the one before count alike, as ratios. What is older than a week is forgotten.

    Args:
        path: The file; it and its folder are made when there is something to remember.
        network: Which network the device is on, by any name that stays the same: the caller knows, this package cannot.
    """

    def __init__(self, path: Path, *, network: str) -> None:
        self._path = path
        self._network = network

    def recall(self, now: dt.datetime) -> float | None:
        """Bits a second that this network gave; None where nobody knows."""
        measured = self._read(now).get(self._network)
        return measured.throughput_bps if measured is not None else None

    def remember(self, throughput_bps: float, now: dt.datetime) -> None:
        """Take a measurement in; where it cannot be written, that is logged."""
        known = self._read(now)
        before = known.get(self._network)
        if before is not None:
            throughput_bps = math.sqrt(before.throughput_bps * throughput_bps)
        known[self._network] = _Measured(throughput_bps=throughput_bps, at=now)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_name(self._path.name + ".part")
            part.write_bytes(msgspec.json.encode(known))
            part.replace(self._path)
        except OSError as error:
            _log.warning("the throughput cannot be kept in %s: %s", self._path, error)

    def _read(self, now: dt.datetime) -> dict[str, _Measured]:
        try:
            known = msgspec.json.decode(self._path.read_bytes(), type=dict[str, _Measured])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:  # msgspec's DecodeError and UnicodeDecodeError are ValueErrors
            _log.warning("%s holds no measurements and is begun anew: %s", self._path, error)
            return {}
        return {network: one for network, one in known.items() if one.at >= now - _MAX_AGE and one.throughput_bps > 0.0}
