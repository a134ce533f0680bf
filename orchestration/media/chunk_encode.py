"""Encode a title chunk by chunk, keep each chunk's result in the store, and join them to one file per rung.

    ingest/<title_id>/<sha256, 16 digits>/chunks/<rendition_id>.<first picture>-<end>.mp4

A rendition's id is a hash of the master's content and of the rung's recipe; with the stretch it says all that decides
the bytes. So what is there is never encoded again, on whichever host, after whatever interruption. Sound is kept
likewise, as one piece. When a title's renditions stand complete in the store, its chunks are removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import msgspec

from orchestration.media.chunks import Chunk, ChunkPlan, plan_chunks, read_plan, write_plan
from orchestration.media.encode import WHOLE, EncodeResult, Span, encode_rungs
from orchestration.media.encoders import ticks_per_second
from orchestration.media.errors import PackagingError
from orchestration.media.handover import ingest_prefix, write_loudness
from orchestration.media.ladder import Ladder, VideoCodec, VideoRung
from orchestration.media.process import Progress
from orchestration.media.records import read_record
from orchestration.media.report import ProbeReport
from orchestration.media.settings import MediaSettings
from orchestration.media.shots import find_cuts
from orchestration.media.side_by_side import run_side_by_side
from orchestration.media.sound import AudioRung, EncodedSound, encode_sound
from orchestration.store import ObjectStore

SOUND = "sound"
"""The name of the piece of work that is all of a title's sound."""
COST = "cost-"


@dataclass(frozen=True, kw_only=True)
class ChunkWork:
    """What the encode of pieces of a title is given.

    Attributes:
        master: The file, as it was probed.
        ladder: Of the title, whole.
        missing: Ids of the renditions that the store does not hold.
        folder: Scratch space of this call alone.
    """

    store: ObjectStore
    title_id: str
    master: Path
    report: ProbeReport
    ladder: Ladder
    missing: frozenset[str]
    settings: MediaSettings
    folder: Path


class ChunkCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one encode of a chunk used; kept beside it until the title's renditions are complete.

    Attributes:
        rung_cpu_s: Of ``cpu_s``, which has the sound too, the share of each video rendition by its id.
    """

    wall_s: float
    cpu_s: float
    damage: int
    missed_seeks: int = 0
    rung_cpu_s: dict[str, float] = {}


@dataclass(frozen=True, kw_only=True)
class ChunkProgress:
    """How far a stretch of a chunk is."""

    chunk: Chunk
    span: Span
    progress: Progress


OnProgress = Callable[[ChunkProgress], None]


def find_plan(work: ChunkWork) -> ChunkPlan:
    """The title's chunks, planned now unless they were before.

    Raises:
        ProgramError: The master could not be searched for changes of shot.
        RecordDamaged: An earlier plan cannot be read.
    """
    codecs = _codecs_to_encode(work)
    ladder = msgspec.structs.replace(work.ladder, video=[rung for rung in work.ladder.video if rung.codec in codecs])
    if not codecs:  # sound alone is missing; it goes with a first chunk that has no picture left to encode
        return ChunkPlan(chunks=[Chunk(codec=work.ladder.video[0].codec, number=1, count=1, spans=[WHOLE])])
    plan = read_plan(work.store, work.title_id, ladder, work.settings)
    if plan is None:
        index = work.report.video.index
        plan = plan_chunks(
            ladder,
            work.report,
            work.settings,
            lambda moments_s, reach_s: find_cuts(work.master, index, moments_s, reach_s),
        )
        write_plan(work.store, work.title_id, ladder, work.settings, plan)
    return plan


def is_encoded(work: ChunkWork, chunk: Chunk) -> bool:
    """Whether the store holds a chunk of every rendition that is missing, and the sound that goes with it."""
    return not any(_rungs_to_encode(work, chunk, span) for span in chunk.spans) and not _sounds_to_encode(work, chunk)


def encode_chunk(work: ChunkWork, chunk: Chunk, on_progress: OnProgress | None = None) -> EncodeResult | None:
    """Encode what the store does not hold of a chunk, its stretches side by side; None when that is nothing.

    The title's sound is encoded beside its first chunk: an encoder of sound keeps one core busy at most.
    ``on_progress`` is called from several threads.

    Raises:
        ProgramError, EncodeTruncated, PackagingError: The encode failed. What of the chunk is in the store is whole.
    """
    stretches = [(span, rungs) for span in chunk.spans if (rungs := _rungs_to_encode(work, chunk, span))]
    sounds = _sounds_to_encode(work, chunk)
    works: list[Callable[[], EncodeResult | EncodedSound]] = [
        partial(_encode_pictures, work, chunk, span, rungs, on_progress) for span, rungs in stretches
    ]
    if sounds:
        works.append(partial(_encode_sounds, work, sounds))
    if not works:
        return None
    results = run_side_by_side(*works)
    result = sum_results(results, wall_s=max(result.wall_s for result in results))
    keys = [chunk_key(work, rung, span) for span, rungs in stretches for rung in rungs]
    _write_cost(work, chunk, [*keys, *(sound_key(work, rung) for rung in sounds)], result)
    return result


def total_cost(work: ChunkWork) -> EncodeResult | None:
    """What the chunks in the store cost, whichever runs and hosts encoded them; None when there are none.

    Raises:
        RecordDamaged: What one cost cannot be read.
    """
    prefix = f"{ingest_prefix(work.title_id, work.ladder.source_sha256)}chunks/"
    found = [
        read_record(work.store, key, ChunkCost, "media/renditions")
        for key in work.store.keys(prefix)
        if key.startswith(f"{prefix}{COST}")
    ]
    costs = [cost for cost in found if cost is not None]
    if not costs:
        return None
    return EncodeResult(
        files={},
        wall_s=sum(cost.wall_s for cost in costs),
        cpu_s=sum(cost.cpu_s for cost in costs),
        film_s=work.ladder.duration_s,
        damage=sum(cost.damage for cost in costs),
        missed_seeks=sum(cost.missed_seeks for cost in costs),
        rung_cpu_s=_sum_by_rendition(cost.rung_cpu_s for cost in costs),
    )


def join_chunks(work: ChunkWork, plan: ChunkPlan) -> dict[str, Path]:
    """One file per missing rendition: its chunks' packets in order, nothing encoded anew.

    Raises:
        PackagingError: The chunks of a rung do not fit together.
    """
    files = {}
    for rung in work.ladder.rungs:
        if rung.rendition_id not in work.missing:
            continue
        if isinstance(rung, AudioRung):
            files[rung.rendition_id] = work.store.local_path(sound_key(work, rung))
            continue
        spans = plan.spans_of(rung.codec)
        parts = [work.store.local_path(chunk_key(work, rung, span)) for span in spans]
        if len(parts) == 1:
            files[rung.rendition_id] = parts[0]
            continue
        files[rung.rendition_id] = target = work.folder / f"{rung.rendition_id}.mp4"
        ticks = int(ticks_per_second(work.ladder.rate) / work.ladder.rate)
        join_files(parts, [span.start * ticks for span in spans], target)
    return files


def join_files(parts: Sequence[Path], starts_ticks: Sequence[int], target: Path) -> None:
    """Write the packets of ``parts``, each moved to its start, into ``target``.

    Raises:
        PackagingError: The parts differ in more than pictures.
    """
    options = {"fflags": "+bitexact"}
    with av.open(str(target), "w", format="mp4", options=options) as joined:
        stream = header = None
        for part, start_ticks in zip(parts, starts_ticks, strict=True):
            with av.open(str(part)) as source:
                track = source.streams.video[0]
                if stream is None:
                    header = track.codec_context.extradata
                    joined.options["video_track_timescale"] = str(track.time_base.denominator)
                    stream = joined.add_stream_from_template(track, opaque=True)  # nothing will be encoded
                    stream.time_base = track.time_base
                    stream.codec_context.codec_tag = track.codec_context.codec_tag
                elif track.codec_context.extradata != header:
                    raise PackagingError(f"{part.name} was encoded otherwise than the chunks before it; delete it")
                for packet in source.demux(track):
                    if packet.size == 0:
                        continue
                    packet.pts += start_ticks
                    packet.dts += start_ticks
                    packet.stream = stream
                    joined.mux(packet)


def drop_chunks(store: ObjectStore, title_id: str, source_sha256: str, rendition_ids: Collection[str]) -> None:
    """Remove the chunks of renditions that are complete, and with the last chunk of a master its plans and costs."""
    kept = []
    for key in store.keys(f"{ingest_prefix(title_id, source_sha256)}chunks/"):
        if key.rpartition("/")[2].partition(".")[0] in rendition_ids:
            store.delete(key)
        else:
            kept.append(key)
    if all(key.endswith(".json") for key in kept):
        for key in kept:
            store.delete(key)


def sum_results(results: Sequence[EncodeResult | EncodedSound | None], *, wall_s: float | None = None) -> EncodeResult:
    """Several encodes as one; one after the other unless ``wall_s`` says how long they took together.

    What was found in the store, None, took nothing.
    """
    made = [result for result in results if result is not None]
    pictures = [result for result in made if isinstance(result, EncodeResult)]
    return EncodeResult(
        files={},
        wall_s=sum(result.wall_s for result in made) if wall_s is None else wall_s,
        cpu_s=sum(result.cpu_s for result in made),
        film_s=sum(result.film_s for result in pictures) or max((result.film_s for result in made), default=0.0),
        damage=sum(result.damage for result in made),
        missed_seeks=sum(result.missed_seeks for result in pictures),
        rung_cpu_s=_sum_by_rendition(result.rung_cpu_s for result in pictures),
    )


def chunk_key(work: ChunkWork, rung: VideoRung, span: Span) -> str:
    """Where a stretch of a rung stands in the store."""
    end = "end" if span.end is None else span.end
    prefix = ingest_prefix(work.title_id, work.ladder.source_sha256)
    return f"{prefix}chunks/{rung.rendition_id}.{span.start}-{end}.mp4"


def sound_key(work: ChunkWork, rung: AudioRung) -> str:
    """Where a sound stands in the store until it is cut into segments."""
    return f"{ingest_prefix(work.title_id, work.ladder.source_sha256)}chunks/{rung.rendition_id}.mp4"


def _rungs_to_encode(work: ChunkWork, chunk: Chunk, span: Span) -> list[VideoRung]:
    return [
        rung
        for rung in _rungs_of(work.ladder, chunk.codec)
        if rung.rendition_id in work.missing and not work.store.exists(chunk_key(work, rung, span))
    ]


def _sounds_to_encode(work: ChunkWork, chunk: Chunk) -> list[AudioRung]:
    first = next(iter(_codecs_to_encode(work)), work.ladder.video[0].codec)
    if (chunk.codec, chunk.number) != (first, 1):
        return []
    return [
        rung
        for rung in work.ladder.audio
        if rung.rendition_id in work.missing and not work.store.exists(sound_key(work, rung))
    ]


def _codecs_to_encode(work: ChunkWork) -> dict[VideoCodec, None]:
    """In the ladder's order."""
    return dict.fromkeys(rung.codec for rung in work.ladder.video if rung.rendition_id in work.missing)


def _rungs_of(ladder: Ladder, codec: VideoCodec) -> list[VideoRung]:
    return [rung for rung in ladder.video if rung.codec == codec]


def _encode_pictures(
    work: ChunkWork, chunk: Chunk, span: Span, rungs: Sequence[VideoRung], on_progress: OnProgress | None
) -> EncodeResult:
    ladder = msgspec.structs.replace(work.ladder, video=_rungs_of(work.ladder, chunk.codec), audio=[])
    folder = work.folder / f"{chunk.name}-{span.start}"
    folder.mkdir()
    report = None if on_progress is None else _of_stretch(chunk, span, on_progress)
    result = encode_rungs(
        work.master, work.report, ladder, work.settings, folder, span=span, wanted=rungs, on_progress=report
    )
    for rung in rungs:
        _keep(work.store, chunk_key(work, rung, span), result.files[rung.rendition_id])
    return result


def _encode_sounds(work: ChunkWork, rungs: Sequence[AudioRung]) -> EncodedSound:
    folder = work.folder / SOUND
    folder.mkdir()
    result = encode_sound(work.master, work.report, rungs, work.ladder.duration_s, work.settings, folder)
    for rung in rungs:
        _keep(work.store, sound_key(work, rung), result.files[rung.rendition_id])
    if result.loudness:
        write_loudness(work.store, work.title_id, work.ladder.source_sha256, result.loudness)
    return result


def _write_cost(work: ChunkWork, chunk: Chunk, made: Sequence[str], result: EncodeResult) -> None:
    # A chunk whose encode was interrupted is completed by another one, of what was left.
    digest = hashlib.sha256("".join(made).encode()).hexdigest()[:16]
    key = f"{ingest_prefix(work.title_id, work.ladder.source_sha256)}chunks/{COST}{chunk.name}-{digest}.json"
    cost = ChunkCost(
        wall_s=result.wall_s,
        cpu_s=result.cpu_s,
        damage=result.damage,
        missed_seeks=result.missed_seeks,
        rung_cpu_s=dict(result.rung_cpu_s),
    )
    work.store.put_bytes(key, msgspec.json.encode(cost), replace=True)


def _sum_by_rendition(shares: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for share in shares:
        for rendition_id, cpu_s in share.items():
            total[rendition_id] = total.get(rendition_id, 0.0) + cpu_s
    return total


def _of_stretch(chunk: Chunk, span: Span, on_progress: OnProgress) -> Callable[[Progress], None]:
    return lambda progress: on_progress(ChunkProgress(chunk=chunk, span=span, progress=progress))


def _keep(store: ObjectStore, key: str, file: Path) -> None:
    """Another host may have encoded the same at the same time: either result is right, and they are alike."""
    store.put_file(key, file, replace=True)
    file.unlink()
