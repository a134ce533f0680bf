"""What the probe says of a folder of awkward files: ``python -m benchmarks.awkward_media [FOLDER]``.

The folder (``awkward_media`` below ``MATINEE_DATA``) holds files and a README.md with a table: file in the first
column, expected outcome in the fifth, which names the verdicts that will do (REJECT, PLAYABLE). Prints one line a file
and ends with 1 when a verdict is not among them, a reason or warning that must be given is not, a duration is not what
is there, or a rejection takes longer than two seconds.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.media.probe import probe_file
from orchestration.media.report import ProbeReport, VideoTrack

REJECTED_WITHIN_S = 2.0
_ROW = re.compile(r"^\| *([\w.-]+\.\w+) *\|(?:[^|]*\|){3}([^|]*)\|", re.MULTILINE)
_VERDICTS = {"REJECT": "rejected", "PLAYABLE": "playable"}
MUST_SAY = {
    "derived_bitrot_mdat.mp4": "damaged",
    "derived_interlaced_576i_mpeg2.ts": "interlaced",
    "derived_text_renamed.mp4": "not a media container",
    "derived_truncated_moov_lost.mp4": "moov",
    "h264_422_10bit_8_mono_tracks.mp4": "8 mono audio tracks",
    "hdr10_av1_portrait.mp4": "HDR",
    "invalid_bitstream_vp9.webm": "cannot be decoded",
    "missing_stsd.mp4": "no sample description",
    "no_duration.webm": "no duration in the header",
    "rotated_180_vfr_phone.mp4": "variable frame rate",
    "subs_pgs_bitmap.mkv": "bitmap",
    "truncated_after_moov.m4b": "truncated",
    "zero_length.webm": "empty",
}
SHOWN = {
    "edit_list_preroll.mp4": (640, 360), "hdr10_av1_portrait.mp4": (720, 1280), "no_duration.webm": (1280, 720),
    "rotate_and_reflect.mp4": (720, 1080),
}  # fmt: skip
LASTS_S = {"edit_list_preroll.mp4": 0.53, "no_duration.webm": 4.93, "video_with_failing_audio.mp4": 11.2}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One file's probe and what is wrong with it; ``faults`` is empty when it is as expected."""

    report: ProbeReport
    wall_s: float
    faults: list[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Probe and print; returns 0 when every file has the outcome that its README states."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    data = Path(os.environ.get("MATINEE_DATA", "."))
    parser.add_argument("folder", type=Path, nargs="?", default=data / "awkward_media")
    folder: Path = parser.parse_args(arguments).folder
    expected = dict(_ROW.findall((folder / "README.md").read_text(encoding="utf-8")))
    outcomes = [judge(folder / name, said) for name, said in sorted(expected.items())]
    for outcome in outcomes:
        report = outcome.report
        declared = "-" if report.declared_duration_s is None else f"{report.declared_duration_s:.2f}"
        print(
            f"{'FAIL' if outcome.faults else 'ok  '} {report.file:<36} {report.verdict:<8} {outcome.wall_s:5.2f} s  "
            f"declared {declared:>7}  there {report.decoded_duration_s:6.2f}  "
            f"{'; '.join([*report.reasons, *report.warnings]) or '-'}"
        )
        for fault in outcome.faults:
            print(f"       {fault}")
    failed = sum(bool(outcome.faults) for outcome in outcomes)
    print(f"\n{len(outcomes) - failed} of {len(outcomes)} files as expected")
    return 1 if failed or not outcomes else 0


def judge(path: Path, said: str) -> Outcome:
    """Probe one file and hold it against what its README says."""
    started = time.monotonic()
    report = probe_file(path)
    wall_s = time.monotonic() - started
    faults = []
    allowed = [verdict for word, verdict in _VERDICTS.items() if word in said]
    if report.verdict not in allowed:
        faults.append(f"expected: {said.strip()}")
    told = "; ".join([*report.reasons, *report.warnings])
    if (wanted := MUST_SAY.get(path.name, "")) not in told:
        faults.append(f"nothing is said of {wanted!r}")
    if report.verdict == "rejected" and (wall_s > REJECTED_WITHIN_S or not report.reasons or not report.hints):
        faults.append(f"a rejection needs a reason, a hint and at most {REJECTED_WITHIN_S} s")
    shown = [(track.width, track.height) for track in report.tracks if isinstance(track, VideoTrack)]
    if path.name in SHOWN and shown[:1] != [SHOWN[path.name]]:
        faults.append(f"shown at {shown}, expected {SHOWN[path.name]}")
    if path.name in LASTS_S and abs(report.decoded_duration_s - LASTS_S[path.name]) > 0.1:
        faults.append(f"lasts {report.decoded_duration_s} s, expected {LASTS_S[path.name]} s")
    return Outcome(report=report, wall_s=wall_s, faults=faults)


if __name__ == "__main__":
    raise SystemExit(main())
