"""The sound of a title: which audio renditions it gets, and their encode in an ffmpeg process of their own.

Sound is apart from the picture so that neither waits for the other: a changed loudness leaves every picture as it is.
Every track of the master is kept. Each becomes stereo AAC, one with 5.1 channels or more becomes 5.1 AAC too, and Opus
where VP9 or AV1 is made.

Stereo is mixed down by ITU-R BS.775, ``L + 0.707 C + 0.707 Ls`` and ``R + 0.707 C + 0.707 Rs``, without the LFE.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import av.error
import msgspec

from orchestration.media.errors import EncodeTruncated
from orchestration.media.languages import language_tag
from orchestration.media.loudness import (
    DeliveredLoudness,
    Gain,
    Loudness,
    correct_gain,
    loudness_warning,
    measure_loudness,
    plan_gain,
)
from orchestration.media.naming import as_label, first_free
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.recipe import rendition_id
from orchestration.media.report import AudioTrack, ProbeReport, SoundRole
from orchestration.media.settings import MediaSettings
from orchestration.media.truncation import require_length

AUDIO_RATE_HZ = 48_000
STEREO, SURROUND = 2, 6
MIX_LEVEL = math.sqrt(0.5)
CORRECTIONS = 4
"""How often a gain is corrected by what it led to."""
RECIPE = "sound-3"
"""Change it when the code changes encoded bytes."""
TIMEOUT_BASE_S = 300
TIMEOUT_PER_FILM_S = 10


class AudioRung(msgspec.Struct, frozen=True, kw_only=True, tag="audio", tag_field="kind"):
    """One sound rendition of the ladder.

    Attributes:
        track_index: Its stream in the master.
        name: What a viewer reads when choosing; renditions of one track share it, no other does.
    """

    rendition_id: str
    rung: str
    track_index: int
    language: str
    bitrate_bps: int
    codec: Literal["aac", "opus"] = "aac"
    channels: int = STEREO
    name: str = ""
    role: SoundRole = "main"


@dataclass(frozen=True, kw_only=True)
class EncodedSound:
    """What an encode of sound made and used.

    Attributes:
        files: MP4 file by rendition id.
        loudness: What became of it; empty when it was left as it is.
        damage: Error lines of the decoder.
    """

    files: dict[str, Path]
    wall_s: float
    cpu_s: float
    film_s: float
    damage: int
    loudness: list[DeliveredLoudness]


def plan_sound(
    tracks: Sequence[AudioTrack], source_sha256: str, settings: MediaSettings, *, with_opus: bool = False
) -> list[AudioRung]:
    """The renditions of every track: stereo AAC, then 5.1 AAC, then Opus, the default track first in each."""
    ordered = sorted(tracks, key=lambda track: (track.role != "main", not track.default))
    named = list(zip(ordered, _names(ordered), strict=True))

    def rungs(
        codec: Literal["aac", "opus"], channels: int, bitrate_bps: int, suffix: str, *, least_channels: int = 1
    ) -> list[AudioRung]:
        return [
            AudioRung(
                rendition_id=rendition_id(
                    source_sha256,
                    [RECIPE, codec, channels, bitrate_bps, settings.loudness_lufs, settings.segment_duration_s,
                     track.index],
                ),
                rung=f"audio-{identifier}{suffix}",
                track_index=track.index,
                language=language_tag(track.language),
                bitrate_bps=bitrate_bps,
                codec=codec,
                channels=channels,
                name=name,
                role=track.role,
            )
            for track, (identifier, name) in named
            if track.channels >= least_channels
        ]  # fmt: skip

    planned = rungs("aac", STEREO, settings.audio_bitrate_bps, "")
    if settings.surround:
        planned += rungs("aac", SURROUND, settings.surround_bitrate_bps, "-surround", least_channels=SURROUND)
    if with_opus and settings.opus:
        planned += rungs("opus", STEREO, settings.opus_bitrate_bps, "-opus")
    return planned


def _names(tracks: Sequence[AudioTrack]) -> list[tuple[str, str]]:
    """For each track its part of a rung's name and what a viewer reads, each of them unique."""
    names: list[tuple[str, str]] = []
    for track in tracks:
        language = language_tag(track.language)
        role = "" if track.role == "main" else f"-{track.role}"
        shown = as_label(track.title) or (language if track.role == "main" else f"{language} ({track.role})")
        names.append(
            (
                first_free(f"{language}{role}", "-{}", {identifier for identifier, _ in names}),
                first_free(shown, " ({})", {name for _, name in names}),
            )
        )
    return names


def encode_sound(
    master: Path,
    report: ProbeReport,
    rungs: Sequence[AudioRung],
    film_s: float,
    settings: MediaSettings,
    folder: Path,
) -> EncodedSound:
    """Encode ``rungs`` into ``folder``, each as long as the film and at the settings' loudness.

    Raises:
        ProgramError: ffmpeg failed or took too long.
        PackagingError: The loudness could not be measured.
        EncodeTruncated: A rendition is shorter than the master, whatever ffmpeg's exit code says.
    """
    timeout_s = TIMEOUT_BASE_S + TIMEOUT_PER_FILM_S * film_s
    measured, gains = _find_gains(master, rungs, film_s, settings, timeout_s)
    files = {rung.rendition_id: folder / f"{rung.rendition_id}.mp4" for rung in rungs}
    damage = 0

    def count_damage(_line: str) -> None:
        nonlocal damage
        damage += 1

    result = run_program(
        _encode_command(master, report, rungs, film_s, gains, files),
        timeout_s=timeout_s,
        on_error_line=count_damage,
    )
    for rung in rungs:
        _require_whole(files[rung.rendition_id], rung.rung, film_s, master)
    return EncodedSound(
        files=files,
        wall_s=result.wall_s,
        cpu_s=result.cpu_s,
        film_s=film_s,
        damage=damage,
        loudness=[
            _delivered(rung, measured[_mix(rung)], gains[_mix(rung)], files[rung.rendition_id], timeout_s)
            for rung in rungs
            if _mix(rung) in gains
        ],
    )


def _delivered(rung: AudioRung, measured: Loudness, gain: Gain, file: Path, timeout_s: float) -> DeliveredLoudness:
    found = measure_loudness(file, {"all": "[0:0]anull"}, timeout_s)["all"]
    return DeliveredLoudness(
        rendition_id=rung.rendition_id,
        rung=rung.rung,
        measured_lufs=measured.integrated_lufs,
        gain_db=gain.gain_db,
        limited=gain.limited,
        delivered_lufs=found.integrated_lufs,
        true_peak_dbtp=found.true_peak_dbtp if found.integrated_lufs is not None else None,
    )


def loudness_warnings(
    rungs: Sequence[AudioRung], delivered: Sequence[DeliveredLoudness], target_lufs: float
) -> list[str]:
    """What is to be said about the loudness of some renditions, those that were never measured included."""
    found = {item.rendition_id: item for item in delivered}
    unmeasured = [f"{rung.rung}: was not measured" for rung in rungs if rung.rendition_id not in found]
    told = [loudness_warning(found[rung.rendition_id], target_lufs) for rung in rungs if rung.rendition_id in found]
    return [*unmeasured, *filter(None, told)]


def _mix(rung: AudioRung) -> tuple[int, int]:
    """What decides a rendition's sound before it is encoded: its track and its channels."""
    return rung.track_index, rung.channels


def _find_gains(
    master: Path, rungs: Sequence[AudioRung], film_s: float, settings: MediaSettings, timeout_s: float
) -> tuple[dict[tuple[int, int], Loudness], dict[tuple[int, int], Gain]]:
    """Loudness and gain of each mix; what a gain leads to is measured again where it is not sure."""
    target_lufs = settings.loudness_lufs
    if target_lufs is None or not rungs:
        return {}, {}
    chains = {f"t{mix[0]}c{mix[1]}": mix for mix in sorted({_mix(rung) for rung in rungs})}
    found = measure_loudness(
        master, {name: _trimmed([_mixed(*mix)], film_s) for name, mix in chains.items()}, timeout_s
    )
    gains = {mix: plan_gain(found[name], target_lufs) for name, mix in chains.items()}
    unsettled = {name: mix for name, mix in chains.items() if not gains[mix].is_sure}
    for _ in range(CORRECTIONS):
        if not unsettled:
            break
        again = {name: _trimmed([_mixed(*mix), *gains[mix].filters], film_s) for name, mix in unsettled.items()}
        results = measure_loudness(master, again, timeout_s)
        corrected = {
            mix: correct_gain(gains[mix], found[name], results[name], target_lufs) for name, mix in unsettled.items()
        }
        unsettled = {name: mix for name, mix in unsettled.items() if corrected[mix] != gains[mix]}
        gains |= corrected
    return {mix: found[name] for name, mix in chains.items()}, gains


def _encode_command(
    master: Path,
    report: ProbeReport,
    rungs: Sequence[AudioRung],
    film_s: float,
    gains: dict[tuple[int, int], Gain],
    files: dict[str, Path],
) -> list[str]:
    tracks = {track.index: track for track in report.audio}
    chains, outputs = [], []
    for number, rung in enumerate(rungs):
        filters = [_mixed(*_mix(rung)), *gains.get(_mix(rung), Gain()).filters, f"aresample={AUDIO_RATE_HZ}"]
        track = tracks[rung.track_index]
        missing_s = film_s - (track.start_s + track.duration_s)
        if missing_s > 0:
            # Only what the probe knows to be missing is padded: a decode that ends early must stay visible.
            filters.append(f"apad=pad_dur={missing_s:.6f}")
        chains.append(f"{_trimmed(filters, film_s)}[sound{number}]")
        outputs += ["-map", f"[sound{number}]", *_options(rung), str(files[rung.rendition_id])]
    return [
        find_ffmpeg(), "-v", "error", "-nostats", "-nostdin", "-y", "-vn", "-sn", "-dn", "-i", str(master),
        "-filter_complex", ";".join(chains), *outputs,
    ]  # fmt: skip


def _mixed(track_index: int, channels: int) -> str:
    """The channels wanted at 48 kHz from zero on, gaps filled."""
    layout = "5.1" if channels == SURROUND else "stereo"
    return (
        f"[0:{track_index}]aresample={AUDIO_RATE_HZ}:async=1:first_pts=0:out_chlayout={layout}:out_sample_fmt=fltp"
        f":clev={MIX_LEVEL:.4f}:slev={MIX_LEVEL:.4f}:lfe_mix_level=0:rematrix_maxval=1"
    )


def _trimmed(filters: Sequence[str], film_s: float) -> str:
    return ",".join([*filters, f"atrim=end={film_s:.6f}"])


def _options(rung: AudioRung) -> list[str]:
    """Nothing of the master's metadata, and nothing that differs between two runs."""
    return [
        "-c:a", "libopus" if rung.codec == "opus" else "aac", "-b:a", str(rung.bitrate_bps),
        "-ac", str(rung.channels), "-ar", str(AUDIO_RATE_HZ),
        "-f", "mp4", "-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact",
    ]  # fmt: skip


def _require_whole(file: Path, rung: str, expected_s: float, master: Path) -> None:
    try:
        with av.open(str(file)) as container:
            encoded_s = (container.duration or 0) / av.time_base
    except av.error.FFmpegError as error:
        raise EncodeTruncated(f"{master.name}: rung {rung} came out unreadable ({error.strerror})") from error
    require_length(encoded_s, expected_s, rung, master)
