"""What becomes of the loudness of real sound tracks: ``python -m benchmarks.media_loudness FILE_OR_FOLDER...``.

Encodes the sound of every playable file as a title's sound is encoded, as delivered and once more 35 dB quieter, and
prints a line a rendition: loudness before, gain, loudness and true peak of the encoded file. Ends with 1 when one is
not as it should be, silence and noise floors apart.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestration.media.loudness import QUIETEST_PROGRAMME_LUFS, DeliveredLoudness, loudness_warning
from orchestration.media.masters import is_master
from orchestration.media.probe import probe_file
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.settings import MediaSettings
from orchestration.media.sound import encode_sound, plan_sound

QUIETER_DB = 35
TIMEOUT_S = 600


def main(arguments: Sequence[str] | None = None) -> int:
    """Encode and print; returns 0 when every programme is at the loudness that the settings ask for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("paths", type=Path, nargs="+")
    paths: list[Path] = parser.parse_args(arguments).paths
    settings = MediaSettings()
    assert settings.loudness_lufs is not None
    print(f"{'file':<44} {'rung':<24} {'LUFS':>6} {'gain':>6} {'after':>6} {'dBTP':>6}")
    missed = measured = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name, delivered in _deliveries(paths, settings, Path(scratch)):
            is_programme = (delivered.measured_lufs or -70.0) >= QUIETEST_PROGRAMME_LUFS
            fault = loudness_warning(delivered, settings.loudness_lufs) if is_programme else None
            measured += is_programme
            missed += fault is not None
            print(f"{name:<44} {_line(delivered)}{'  ' + fault if fault else ''}")
    print(f"\n{measured - missed} of {measured} programmes at {settings.loudness_lufs} LUFS")
    return 1 if missed or not measured else 0


def _deliveries(
    paths: Sequence[Path], settings: MediaSettings, scratch: Path
) -> Iterator[tuple[str, DeliveredLoudness]]:
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.iterdir()))]
    for file in filter(is_master, files):
        report = probe_file(file)
        if report.verdict != "playable" or not report.audio:
            continue
        quiet = scratch / f"{file.stem} {QUIETER_DB} dB quieter.mkv"
        command = [find_ffmpeg(), "-v", "error", "-nostdin", "-y", "-i", str(file), "-map", "0:v:0"]
        for number, track in enumerate(report.audio):
            command += ["-map", f"0:{track.index}", f"-filter:a:{number}", f"volume=-{QUIETER_DB}dB:precision=double"]
        run_program([*command, "-c:v", "copy", "-c:a", "pcm_s32le", str(quiet)], timeout_s=TIMEOUT_S)
        for master in (file, quiet):
            read = probe_file(master)
            folder = Path(tempfile.mkdtemp(dir=scratch))
            rungs = plan_sound(read.audio, "0" * 64, settings, with_opus=True)
            encoded = encode_sound(master, read, rungs, read.decoded_duration_s, settings, folder)
            for delivered in encoded.loudness:
                yield master.name, delivered


def _line(delivered: DeliveredLoudness) -> str:
    values = (delivered.measured_lufs, delivered.gain_db, delivered.delivered_lufs, delivered.true_peak_dbtp)
    shown = " ".join("     -" if value is None else f"{value:6.1f}" for value in values)
    return f"{delivered.rung:<24} {shown}{' limited' if delivered.limited else ''}"


if __name__ == "__main__":
    raise SystemExit(main())
