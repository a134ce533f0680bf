"""Bring sound to a programme loudness: measure by EBU R128, then one gain for the whole film.

Two passes and a linear gain, for a film's quiet scenes are meant to be quiet: nothing is compressed. Only where the
gain would push a peak over the limit, a limiter holds that peak. Integrated loudness and true peak are those of ITU-R
BS.1770 as ffmpeg's ``ebur128`` measures them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.media.errors import PackagingError
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg

PEAK_LIMIT_DBTP = -1.5
MAX_GAIN_DB = 24.0
"""A programme that would need more is a noise floor or silence, which must stay as quiet as it is."""
SILENCE_LUFS = -69.9
"""``ebur128`` says -70 where every block is under the absolute gate, or the sound is shorter than a block of 0.4 s."""
LIMITER_RATE_HZ = 192_000
"""The limiter works on four times the samples: peaks lie between samples, and true peak counts those."""
_HEAD = re.compile(r"\[ebur128@(\w+) @ ")
_INTEGRATED = re.compile(r"\s+I:\s+(-?[0-9.]+|nan|-inf) LUFS")
_PEAK = re.compile(r"\s+Peak:\s+(-?[0-9.]+|nan|-?inf) dBFS")


@dataclass(frozen=True, kw_only=True)
class Loudness:
    """What was measured.

    Attributes:
        integrated_lufs: Programme loudness; None for silence.
        true_peak_dbtp: Highest peak, between samples too.
    """

    integrated_lufs: float | None
    true_peak_dbtp: float


@dataclass(frozen=True, kw_only=True)
class Gain:
    """One gain for a whole track; ``limited`` when a limiter holds its peaks."""

    gain_db: float = 0.0
    limited: bool = False

    @property
    def filters(self) -> list[str]:
        """The filters that apply it, at any input rate; the output rate is the caller's to set."""
        if self.limited:
            limit = 10 ** (PEAK_LIMIT_DBTP / 20)
            return [
                f"volume={self.gain_db:.2f}dB:precision=float",
                f"aresample={LIMITER_RATE_HZ}",
                f"alimiter=limit={limit:.4f}:attack=5:release=50:level=disabled:latency=1",
            ]
        return [f"volume={self.gain_db:.2f}dB:precision=float"] if self.gain_db else []


def plan_gain(measured: Loudness, target_lufs: float) -> Gain:
    """The gain that brings a track to the target; none for silence."""
    if measured.integrated_lufs is None:
        return Gain()
    gain_db = round(min(target_lufs - measured.integrated_lufs, MAX_GAIN_DB), 2)
    return Gain(gain_db=gain_db, limited=measured.true_peak_dbtp + gain_db > PEAK_LIMIT_DBTP)


def correct_gain(gain: Gain, result: Loudness, target_lufs: float) -> Gain:
    """A limited gain, raised by what its limiter took away."""
    if result.integrated_lufs is None:
        return gain
    gain_db = round(min(gain.gain_db + target_lufs - result.integrated_lufs, MAX_GAIN_DB), 2)
    return Gain(gain_db=gain_db, limited=gain.limited)


def measure_loudness(file: Path, chains: Mapping[str, str], timeout_s: float) -> dict[str, Loudness]:
    """Measure several chains of filters over one file, in one pass.

    Args:
        file: Any media file.
        chains: By a name of letters and digits: an ffmpeg filter chain from an input pad on, such as
            ``[0:1]aresample=48000``.
        timeout_s: When to give up.

    Raises:
        ProgramError: ffmpeg failed or took too long.
        PackagingError: It said nothing about a chain.
    """
    graph = ";".join(
        f"{chain},ebur128@{name}=peak=true:framelog=quiet[{name}]" for name, chain in sorted(chains.items())
    )
    outputs = [argument for name in sorted(chains) for argument in ("-map", f"[{name}]", "-f", "null", "-")]
    lines: list[str] = []
    run_program(
        [find_ffmpeg(), "-hide_banner", "-nostats", "-v", "info", "-nostdin", "-vn", "-sn", "-dn", "-i", str(file),
         "-filter_complex", graph, *outputs],
        timeout_s=timeout_s,
        on_error_line=lines.append,
    )  # fmt: skip
    found = _parse_summaries(lines)
    if missing := set(chains) - set(found):
        raise PackagingError(f"{file.name}: the loudness of {', '.join(sorted(missing))} could not be measured")
    return found


def _parse_summaries(lines: list[str]) -> dict[str, Loudness]:
    """The summaries that ``ebur128`` writes at its end, by the name of the filter."""
    integrated: dict[str, float] = {}
    peaks: dict[str, float] = {}
    name = ""
    for line in lines:
        if head := _HEAD.match(line):
            name = head[1]
        elif value := _INTEGRATED.match(line):
            integrated[name] = float(value[1])
        elif value := _PEAK.match(line):
            peaks[name] = float(value[1])
    return {
        name: Loudness(
            integrated_lufs=lufs if math.isfinite(lufs) and lufs > SILENCE_LUFS else None,
            true_peak_dbtp=peaks.get(name, -math.inf),
        )
        for name, lufs in integrated.items()
    }
