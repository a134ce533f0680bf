"""Bring sound to a programme loudness: measure by EBU R128, then one gain for the whole film.

Two passes and a linear gain, for a film's quiet scenes are meant to be quiet: nothing is compressed. Only where the
gain would push a peak over the limit, a limiter holds that peak, and the gain is raised by what it takes away. What is
as quiet as a noise floor is no programme and stays as it is. Integrated loudness and true peak are those of ITU-R
BS.1770 as ffmpeg's ``ebur128`` measures them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestration.media.errors import PackagingError
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg

PEAK_LIMIT_DBTP = -1.5
HIGHEST_PEAK_DBTP = -1.0
"""What EBU R128 allows; encoding adds to the peaks that the limiter held."""
TOLERANCE_LU = 0.5
QUIETEST_PROGRAMME_LUFS = -58.0
"""What is quieter is a noise floor: room, tape or dither. At the loudness of a film it would be all that is heard."""
MAX_GAIN_DB = 40.0
"""Where a limiter takes away more than this can make up for, the loudness is given up and told."""
SETTLED_LU = 0.1
SURE_GAIN_DB = 10.0
"""A larger one lifts what was under the absolute gate of -70 LUFS, so that other parts of the film count."""
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
    def is_sure(self) -> bool:
        """Whether the loudness that it leads to is known without measuring again."""
        return not self.limited and self.gain_db <= SURE_GAIN_DB

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


class DeliveredLoudness(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the loudness of one rendition, measured once it was encoded.

    Attributes:
        measured_lufs: Of its track as it was delivered to us, mixed to its channels; None for silence.
        gain_db: What was applied.
        limited: Whether a limiter held its peaks.
        delivered_lufs, true_peak_dbtp: Of the encoded file; None for silence.
    """

    rendition_id: str
    rung: str
    measured_lufs: float | None
    gain_db: float
    limited: bool
    delivered_lufs: float | None
    true_peak_dbtp: float | None


def loudness_warning(delivered: DeliveredLoudness, target_lufs: float) -> str | None:
    """What is not as it should be about a rendition's loudness; None when nothing is, as with silence."""
    rung, lufs, peak = delivered.rung, delivered.delivered_lufs, delivered.true_peak_dbtp
    if lufs is None or peak is None:
        return None
    if delivered.measured_lufs is not None and delivered.measured_lufs < QUIETEST_PROGRAMME_LUFS:
        return f"{rung}: at {delivered.measured_lufs:.1f} LUFS it is taken for a noise floor and left as it is"
    if abs(lufs - target_lufs) > TOLERANCE_LU:
        return f"{rung}: {lufs:.1f} LUFS instead of {target_lufs:.1f}, with a gain of {delivered.gain_db:.1f} dB"
    if peak > HIGHEST_PEAK_DBTP:
        return f"{rung}: its true peak is {peak:.1f} dBTP, {HIGHEST_PEAK_DBTP:.1f} is the highest allowed"
    return None


def plan_gain(measured: Loudness, target_lufs: float) -> Gain:
    """The gain that brings a programme to the target; none for silence and for a noise floor."""
    if measured.integrated_lufs is None or measured.integrated_lufs < QUIETEST_PROGRAMME_LUFS:
        return Gain()
    gain_db = round(min(target_lufs - measured.integrated_lufs, MAX_GAIN_DB), 2)
    return Gain(gain_db=gain_db, limited=measured.true_peak_dbtp + gain_db > PEAK_LIMIT_DBTP)


def correct_gain(gain: Gain, measured: Loudness, result: Loudness, target_lufs: float) -> Gain:
    """A gain, changed by what its result is off the target; the same where that is next to nothing.

    Args:
        gain: What was applied.
        measured: Before it.
        result: After it, limited where it is.
        target_lufs: Programme loudness.
    """
    if result.integrated_lufs is None or abs(target_lufs - result.integrated_lufs) <= SETTLED_LU:
        return gain
    gain_db = round(min(gain.gain_db + target_lufs - result.integrated_lufs, MAX_GAIN_DB), 2)
    return Gain(gain_db=gain_db, limited=measured.true_peak_dbtp + gain_db > PEAK_LIMIT_DBTP)


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
