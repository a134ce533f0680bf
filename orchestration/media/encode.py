"""Encode one master to the rungs of its ladder, in one ffmpeg process.

The master is decoded once; the picture is brought to a constant rate and split, and each smaller rung is scaled from
the next larger one. Every rung starts a closed group of pictures at the same moments. ffmpeg-python only builds the
argument list; `process.py` runs it. The result is one MP4 file per rung, which `cmaf.py` cuts into segments.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import ffmpeg

from orchestration.media.errors import EncodeTruncated
from orchestration.media.ladder import Ladder, VideoRung
from orchestration.media.picture import in_eight_bits, prepared_picture, scaled
from orchestration.media.process import Progress, run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.report import ProbeReport, VideoTrack
from orchestration.media.settings import MediaSettings
from orchestration.media.sound import AudioRung

AUDIO_RATE_HZ = 48_000
BUFFER_S = 1.5
"""Length of the rate control's buffer: how long a rung may exceed its cap."""
TIMEOUT_BASE_S = 300
TIMEOUT_PER_FILM_S = 60
TRUNCATION_SHARE = 0.02
TRUNCATION_S = 0.25


@dataclass(frozen=True, kw_only=True)
class EncodeResult:
    """What an encode made and used.

    Attributes:
        files: MP4 file by rendition id.
        damage: Error lines of the decoder: damage in the master that the renditions show.
    """

    files: dict[str, Path]
    wall_s: float
    cpu_s: float
    film_s: float
    damage: int

    @property
    def speed(self) -> float:
        """Seconds of film per second of wall time."""
        return self.film_s / self.wall_s if self.wall_s > 0 else 0.0


def encode_rungs(
    master: Path,
    report: ProbeReport,
    ladder: Ladder,
    settings: MediaSettings,
    folder: Path,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> EncodeResult:
    """Encode all rungs of ``ladder`` into ``folder``.

    Raises:
        ProgramError: ffmpeg failed or took too long.
        EncodeTruncated: A rendition is shorter than the master, whatever ffmpeg's exit code says.
    """
    files = {rung.rendition_id: folder / f"{rung.rendition_id}.mp4" for rung in ladder.rungs}
    command = encode_command(master, report, ladder, settings, files)
    damage = 0

    def count_damage(_line: str) -> None:
        nonlocal damage
        damage += 1

    result = run_program(
        command,
        timeout_s=TIMEOUT_BASE_S + TIMEOUT_PER_FILM_S * ladder.duration_s,
        expected_duration_s=ladder.duration_s,
        on_progress=on_progress,
        on_error_line=count_damage,
    )
    for rung in ladder.rungs:
        _require_whole(files[rung.rendition_id], rung.rung, ladder.duration_s, master)
    return EncodeResult(files=files, wall_s=result.wall_s, cpu_s=result.cpu_s, film_s=ladder.duration_s, damage=damage)


def encode_command(
    master: Path, report: ProbeReport, ladder: Ladder, settings: MediaSettings, files: dict[str, Path]
) -> list[str]:
    """The ffmpeg command that encodes ``ladder``; ``files`` names the output of each rendition."""
    source = ffmpeg.input(str(master))
    outputs = []
    if ladder.video:
        pictures = _cascade(
            prepared_picture(source, report, ladder.rate, ladder.duration_s), report.video, ladder.video
        )
        for rung, picture in zip(ladder.video, pictures, strict=True):
            options = video_options(rung, ladder.rate, settings)
            outputs.append(ffmpeg.output(picture, str(files[rung.rendition_id]), **options))
    tracks = {track.index: track for track in report.audio}
    for sound in ladder.audio:
        stream = _prepared_sound(source, sound, tracks[sound.track_index].duration_s, ladder.duration_s, settings)
        outputs.append(ffmpeg.output(stream, str(files[sound.rendition_id]), **_audio_options(sound)))
    merged = ffmpeg.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    merged = merged.global_args("-v", "error", "-nostats", "-progress", "pipe:1", "-stats_period", "1", "-nostdin")
    return list(ffmpeg.compile(merged, cmd=find_ffmpeg(), overwrite_output=True))


def _cascade(picture: Any, video: VideoTrack, rungs: list[VideoRung]) -> list[Any]:
    """One picture per rung, each scaled from the one before it."""
    pictures = []
    for number, rung in enumerate(rungs):
        picture = scaled(picture, rung.width, rung.height)
        if number == 0:
            picture = in_eight_bits(picture, video)
        if number == len(rungs) - 1:
            pictures.append(picture)
        else:
            split = picture.filter_multi_output("split")
            pictures.append(split[0])
            picture = split[1]
    return pictures


def _prepared_sound(source: Any, rung: AudioRung, track_s: float, film_s: float, settings: MediaSettings) -> Any:
    """Stereo at 48 kHz from zero on, gaps filled, as long as the picture."""
    sound = source[str(rung.track_index)].filter("aresample", AUDIO_RATE_HZ, **{"async": 1, "first_pts": 0})
    sound = sound.filter("aformat", channel_layouts="stereo", sample_rates=AUDIO_RATE_HZ)
    if settings.loudness_lufs is not None:
        sound = sound.filter("loudnorm", I=settings.loudness_lufs, TP=-1.5, LRA=11)
        sound = sound.filter("aresample", AUDIO_RATE_HZ)
    if track_s < film_s:
        # Only what the probe knows to be missing is padded: a decode that ends early must stay visible.
        sound = sound.filter("apad", pad_dur=f"{film_s - track_s:.6f}")
    return sound.filter("atrim", end=f"{film_s:.6f}")


def video_options(rung: VideoRung, rate: Fraction, settings: MediaSettings) -> dict[str, Any]:
    """The output options of ffmpeg for one rung; the ladder's search encodes its samples with the same."""
    return {
        "c:v": "libx264",
        "preset": settings.preset,
        "crf": rung.crf,
        "maxrate": rung.cap_bps,
        "bufsize": round(rung.cap_bps * BUFFER_S),
        "profile:v": "high",
        "threads": settings.threads,
        "g": math.ceil(settings.keyframe_interval_s * rate) + 1,
        "sc_threshold": 0,
        "force_key_frames": f"expr:gte(t,n_forced*{settings.keyframe_interval_s:g})",
        "forced-idr": 1,
        "x264-params": "open-gop=0",
        "video_track_timescale": _timescale(rate),
        **_clean_output(),
    }


def _audio_options(rung: AudioRung) -> dict[str, Any]:
    return {"c:a": "aac", "b:a": rung.bitrate_bps, "ac": 2, "ar": AUDIO_RATE_HZ, **_clean_output()}


def _clean_output() -> dict[str, Any]:
    """Nothing of the master's metadata, and nothing that differs between two runs."""
    return {"f": "mp4", "map_metadata": -1, "map_chapters": -1, "fflags": "+bitexact"}


def _timescale(rate: Fraction) -> int:
    """Ticks per second in which every frame lasts a whole number of ticks, and at least a thousand of them."""
    return rate.numerator * math.ceil(1000 / rate.numerator)


def _require_whole(file: Path, rung: str, expected_s: float, master: Path) -> None:
    try:
        with av.open(str(file)) as container:
            encoded_s = (container.duration or 0) / av.time_base
    except av.error.FFmpegError as error:
        raise EncodeTruncated(f"{master.name}: rung {rung} came out unreadable ({error.strerror})") from error
    if expected_s - encoded_s > max(TRUNCATION_S, TRUNCATION_SHARE * expected_s):
        raise EncodeTruncated(
            f"{master.name}: rung {rung} holds {encoded_s:.2f} s of {expected_s:.2f} s: "
            "the master decodes in part only. Deliver it again"
        )
