"""Find where shots change near given moments of a film.

Only a few seconds around each moment are decoded, small and without the loop filter: enough to see a cut, and about
one per cent of what the encode costs. The measure is ffmpeg's ``scdet``: mean absolute luma difference, discounted by
that of the pictures before, so that motion is no cut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg

CUT_SCORE = 10.0
"""ffmpeg's own default, in per cent of the luma range."""
LOOK_WIDTH = 160
TIMEOUT_S = 600
_CUT = re.compile(r"lavfi\.scd\.score: *([\d.]+), lavfi\.scd\.time: *([\d.]+)")


def find_cuts(master: Path, track_index: int, moments_s: Sequence[float], reach_s: float) -> dict[float, list[float]]:
    """The moments at which shots change within ``reach_s`` of each of ``moments_s``, in seconds of film.

    Raises:
        ProgramError: The master cannot be decoded there.
    """
    return {moment_s: _cuts_near(master, track_index, moment_s, reach_s) for moment_s in moments_s}


def _cuts_near(master: Path, track_index: int, moment_s: float, reach_s: float) -> list[float]:
    cuts: list[float] = []

    def take_line(line: str) -> None:
        if found := _CUT.search(line):
            cuts.append(float(found[2]))

    start_s, end_s = max(moment_s - reach_s, 0.0), moment_s + reach_s
    filters = f"trim=end={end_s:.6f},scale={LOOK_WIDTH}:-2:flags=fast_bilinear,scdet=threshold={CUT_SCORE:g}"
    command = [
        find_ffmpeg(), "-v", "info", "-hide_banner", "-nostats", "-nostdin", "-copyts", "-start_at_zero", "-an", "-sn",
        "-skip_loop_filter", "all", "-ss", f"{start_s:.6f}", "-i", str(master), "-map", f"0:{track_index}",
        "-vf", filters, "-f", "null", "-",
    ]  # fmt: skip
    run_program(command, timeout_s=TIMEOUT_S, on_error_line=take_line)
    return [cut_s for cut_s in cuts if abs(cut_s - moment_s) <= reach_s]
