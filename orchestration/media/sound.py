"""The sound of a title: which audio renditions it gets, and their encode in an ffmpeg process of their own.

Sound is apart from the picture so that neither waits for the other: a changed loudness leaves every picture as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
import av.error
import ffmpeg
import msgspec

from orchestration.media.errors import EncodeTruncated
from orchestration.media.languages import language_tag
from orchestration.media.process import Progress, run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.recipe import rendition_id
from orchestration.media.report import AudioTrack, ProbeReport
from orchestration.media.settings import MediaSettings

AUDIO_RATE_HZ = 48_000
TIMEOUT_BASE_S = 300
TIMEOUT_PER_FILM_S = 10
TRUNCATION_SHARE = 0.02
TRUNCATION_S = 0.25


class AudioRung(msgspec.Struct, frozen=True, kw_only=True, tag="audio", tag_field="kind"):
    """One sound rendition of the ladder; ``track_index`` is its stream in the master."""

    rendition_id: str
    rung: str
    track_index: int
    language: str
    bitrate_bps: int
    codec: Literal["aac", "opus"] = "aac"
    channels: int = 2


@dataclass(frozen=True, kw_only=True)
class EncodedSound:
    """What an encode of sound made and used.

    Attributes:
        files: MP4 file by rendition id.
        damage: Error lines of the decoder.
    """

    files: dict[str, Path]
    wall_s: float
    cpu_s: float
    film_s: float
    damage: int


def plan_sound(tracks: Sequence[AudioTrack], source_sha256: str, settings: MediaSettings) -> list[AudioRung]:
    """One rung per language, from its first track."""
    rungs: dict[str, AudioRung] = {}
    for track in tracks:
        language = language_tag(track.language)
        recipe = [
            "aac-stereo", settings.audio_bitrate_bps, settings.loudness_lufs, settings.segment_duration_s, track.index,
        ]  # fmt: skip
        rung = AudioRung(
            rendition_id=rendition_id(source_sha256, recipe),
            rung=f"audio-{language}",
            track_index=track.index,
            language=language,
            bitrate_bps=settings.audio_bitrate_bps,
        )
        rungs.setdefault(language, rung)
    return list(rungs.values())


def encode_sound(
    master: Path,
    report: ProbeReport,
    rungs: Sequence[AudioRung],
    film_s: float,
    settings: MediaSettings,
    folder: Path,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> EncodedSound:
    """Encode ``rungs`` into ``folder``, each as long as the film.

    Raises:
        ProgramError: ffmpeg failed or took too long.
        EncodeTruncated: A rendition is shorter than the master, whatever ffmpeg's exit code says.
    """
    files = {rung.rendition_id: folder / f"{rung.rendition_id}.mp4" for rung in rungs}
    damage = 0

    def count_damage(_line: str) -> None:
        nonlocal damage
        damage += 1

    result = run_program(
        _encode_command(master, report, rungs, film_s, settings, files),
        timeout_s=TIMEOUT_BASE_S + TIMEOUT_PER_FILM_S * film_s,
        expected_duration_s=film_s,
        on_progress=on_progress,
        on_error_line=count_damage,
    )
    for rung in rungs:
        _require_whole(files[rung.rendition_id], rung.rung, film_s, master)
    return EncodedSound(files=files, wall_s=result.wall_s, cpu_s=result.cpu_s, film_s=film_s, damage=damage)


def _encode_command(
    master: Path,
    report: ProbeReport,
    rungs: Sequence[AudioRung],
    film_s: float,
    settings: MediaSettings,
    files: dict[str, Path],
) -> list[str]:
    source = ffmpeg.input(str(master))
    tracks = {track.index: track for track in report.audio}
    outputs = []
    for rung in rungs:
        stream = _prepared(source, rung, tracks[rung.track_index].duration_s, film_s, settings)
        outputs.append(ffmpeg.output(stream, str(files[rung.rendition_id]), **_options(rung)))
    merged = ffmpeg.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    merged = merged.global_args("-v", "error", "-nostats", "-progress", "pipe:1", "-stats_period", "1", "-nostdin")
    return list(ffmpeg.compile(merged, cmd=find_ffmpeg(), overwrite_output=True))


def _prepared(source: Any, rung: AudioRung, track_s: float, film_s: float, settings: MediaSettings) -> Any:
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


def _options(rung: AudioRung) -> dict[str, Any]:
    return {
        "c:a": "aac", "b:a": rung.bitrate_bps, "ac": 2, "ar": AUDIO_RATE_HZ,
        "f": "mp4", "map_metadata": -1, "map_chapters": -1, "fflags": "+bitexact",
    }  # fmt: skip


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
