"""Encode the picture of a master, or a stretch of it, to rungs of one codec, in one ffmpeg process.

The master is decoded once; the picture is brought to a constant rate and split, and each smaller rung is scaled from
the next larger one. ffmpeg-python only builds the argument list; `process.py` runs it. The result is one MP4 file per
rung. What each encoder is told stands in `encoders.py`, how a film is divided in `chunks.py`; sound is `sound.py`'s.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import ffmpeg
import msgspec

from orchestration.media.encoders import video_options
from orchestration.media.errors import EncodeTruncated
from orchestration.media.ladder import Ladder, VideoRung
from orchestration.media.picture import in_eight_bits, prepared_picture, scaled
from orchestration.media.process import Progress, run_program
from orchestration.media.programs import compile_ffmpeg
from orchestration.media.report import ProbeReport, VideoTrack
from orchestration.media.settings import MediaSettings
from orchestration.media.truncation import require_length

logger = logging.getLogger(__name__)

TIMEOUT_BASE_S = 300
TIMEOUT_PER_FILM_S = 600
"""The slowest encoders need minutes for a second of film; a hung one says nothing for as long."""
SEEK_MARGIN_S = 1.0
"""Decoding starts so long before a stretch: pictures that a deinterlacer or the constant rate takes from before it."""
NOT_DAMAGE = ("Svt[", "x265 [")
"""How lines start that encoders write to standard error although nothing is wrong."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the film in pictures at its constant rate; ``end`` is None for all there is to the end."""

    start: int = 0
    end: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole film."""
        return self.start == 0 and self.end is None

    def duration_s(self, film_s: float, rate: Fraction) -> float:
        """How long it lasts in a film of that length."""
        end_s = film_s if self.end is None else float(self.end / rate)
        return end_s - float(self.start / rate)


WHOLE = Span()


@dataclass(frozen=True, kw_only=True)
class EncodeResult:
    """What an encode made and used.

    Attributes:
        files: MP4 file by rendition id.
        damage: Error lines of the decoder: damage in the master that the renditions show.
        missed_seeks: Stretches that were decoded from the start of the film, for a seek did not lead to them.
        rung_cpu_s: Of ``cpu_s``, the share of each rendition by its id (`share_by_pixels`).
    """

    files: dict[str, Path]
    wall_s: float
    cpu_s: float
    film_s: float
    damage: int
    missed_seeks: int = 0
    rung_cpu_s: Mapping[str, float] = field(default_factory=dict)

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
    span: Span = WHOLE,
    wanted: Sequence[VideoRung] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> EncodeResult:
    """Encode the video rungs of ``ladder`` into ``folder``.

    A stretch is sought. Where its pictures are not all there then, the master's index may be wrong: the stretch is
    encoded once more, its master decoded from the start.

    Args:
        master: The file.
        report: Its probe.
        ladder: Its video rungs are the cascade, largest first: each is scaled from the one before it.
        settings: How encoders work.
        folder: Takes one MP4 per rung.
        span: Which stretch; it must start where a group of pictures does.
        wanted: Which of the rungs to encode; the others are only scaled through, so that a rung does not depend on
            which others exist already. All of them when not given.
        on_progress: Called about once a second.

    Raises:
        ProgramError: ffmpeg failed or took too long.
        EncodeTruncated: A rendition is shorter than the master, whatever ffmpeg's exit code says.
    """
    rungs = ladder.video if wanted is None else wanted
    files = {rung.rendition_id: folder / f"{rung.rendition_id}.mp4" for rung in rungs}
    film_s = span.duration_s(ladder.duration_s, ladder.rate)

    def encode(*, seek: bool) -> EncodeResult:
        command = encode_command(master, report, ladder, settings, files, span, seek=seek)
        return _run_encode(command, files, film_s, on_progress)

    def require_whole() -> None:
        for rung in rungs:
            _require_whole(files[rung.rendition_id], rung.rung, span, film_s, master)

    result = encode(seek=True)
    try:
        require_whole()
    except EncodeTruncated as error:
        if span.start == 0:
            raise
        logger.warning("%s; is its index wrong? Encoding the stretch again, decoded from the start", error)
        again = encode(seek=False)
        require_whole()
        wall_s, cpu_s = result.wall_s + again.wall_s, result.cpu_s + again.cpu_s
        result = replace(again, wall_s=wall_s, cpu_s=cpu_s, missed_seeks=1)
    return replace(result, rung_cpu_s=share_by_pixels(result.cpu_s, rungs))


def share_by_pixels(cpu_s: float, rungs: Sequence[VideoRung]) -> dict[str, float]:
    """What each rung of one encode cost, in CPU seconds by rendition id.

    One process decodes once and encodes all rungs of a codec, so what a rung costs alone cannot be measured. Its share
    is that of its pixels, which an encoder's work grows with.
    """
    pixels = sum(rung.width * rung.height for rung in rungs)
    return {rung.rendition_id: cpu_s * rung.width * rung.height / pixels for rung in rungs}


def encode_command(
    master: Path,
    report: ProbeReport,
    ladder: Ladder,
    settings: MediaSettings,
    files: dict[str, Path],
    span: Span = WHOLE,
    *,
    seek: bool = True,
) -> list[str]:
    """The ffmpeg command that encodes the rungs of ``ladder`` that ``files`` names an output for.

    Without ``seek``, a stretch is reached by decoding all that comes before it.
    """
    seeking = {}
    if seek and span.start:
        start_s = max(float(span.start / ladder.rate) - SEEK_MARGIN_S, 0.0)
        seeking = {"ss": f"{start_s:.6f}", "noaccurate_seek": None}
    picture = prepared_picture(
        ffmpeg.input(str(master), **seeking), report, ladder.rate, ladder.duration_s, span.start, span.end
    )
    outputs = [
        ffmpeg.output(copy, str(files[rung.rendition_id]), **video_options(rung, ladder.rate, settings))
        for rung, copy in cascade(picture, report.video, ladder.video, files)
    ]
    # Timestamps stay the film's own after a seek: pictures are chosen by them.
    timestamps = [] if span.is_whole else ["-copyts", "-start_at_zero"]
    return compile_ffmpeg(outputs, "-progress", "pipe:1", "-stats_period", "1", *timestamps)


def _run_encode(
    command: list[str], files: dict[str, Path], film_s: float, on_progress: Callable[[Progress], None] | None
) -> EncodeResult:
    damage = 0

    def count_damage(line: str) -> None:
        nonlocal damage
        damage += not line.startswith(NOT_DAMAGE)

    result = run_program(
        command,
        timeout_s=TIMEOUT_BASE_S + TIMEOUT_PER_FILM_S * film_s,
        expected_duration_s=film_s,
        on_progress=on_progress,
        on_error_line=count_damage,
    )
    return EncodeResult(files=files, wall_s=result.wall_s, cpu_s=result.cpu_s, film_s=film_s, damage=damage)


def cascade(
    picture: Any, video: VideoTrack, rungs: Sequence[VideoRung], wanted: Container[str]
) -> list[tuple[VideoRung, Any]]:
    """A picture for each rung whose id is ``wanted``, each scaled from the rung before it, wanted or not."""
    last = max(number for number, rung in enumerate(rungs) if rung.rendition_id in wanted)
    pictures = []
    for number, rung in enumerate(rungs[: last + 1]):
        picture = scaled(picture, rung.width, rung.height)
        if number == 0:
            picture = in_eight_bits(picture, video)
        if rung.rendition_id not in wanted:
            continue
        if number == last:
            pictures.append((rung, picture))
        else:
            split = picture.filter_multi_output("split")
            pictures.append((rung, split[0]))
            picture = split[1]
    return pictures


def _require_whole(file: Path, rung: str, span: Span, expected_s: float, master: Path) -> None:
    """A stretch that ends before the film does holds exactly its pictures; the end of a film is known to a moment."""
    try:
        with av.open(str(file)) as container:
            encoded_s = (container.duration or 0) / av.time_base
            track = container.streams.video[0]
            pictures, starts_late = track.frames, (track.start_time or 0) > 0
    except (av.error.FFmpegError, IndexError) as error:
        raise EncodeTruncated(f"{master.name}: rung {rung} came out unreadable ({error})") from error
    if span.end is not None and pictures != span.end - span.start:
        raise EncodeTruncated(
            f"{master.name}: rung {rung} holds {pictures} of the {span.end - span.start} pictures from "
            f"{span.start} on: the master decodes in part only. Deliver it again"
        )
    if starts_late:
        raise EncodeTruncated(f"{master.name}: the first pictures of rung {rung} from {span.start} on did not decode")
    require_length(encoded_s, expected_s, rung, master)
