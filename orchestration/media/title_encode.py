"""Encode and cut the rungs of a title that its store does not hold, chunk by chunk.

How one chunk is encoded and kept is `chunk_encode.py`'s business; whether what came out is good enough
`verification.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from orchestration.media.chunk_encode import (
    ChunkWork,
    OnProgress,
    drop_chunks,
    encode_chunk,
    find_plan,
    is_encoded,
    join_chunks,
    sum_results,
    total_cost,
)
from orchestration.media.chunks import Chunk
from orchestration.media.encode import EncodeResult
from orchestration.media.forms import is_stored, read_forms, require_own_keys, store_forms
from orchestration.media.handover import read_ladder, write_encode_cpu_s
from orchestration.media.ladder import Ladder
from orchestration.media.renditions import RenditionRecord
from orchestration.media.title_work import TitleWork
from orchestration.media.twins import adopt_renditions


@dataclass(frozen=True, kw_only=True)
class EncodedTitle:
    """What the encode step did: ``encoded`` and ``reused`` name rungs; ``result`` is None when nothing was encoded."""

    records: list[RenditionRecord]
    encoded: list[str]
    reused: list[str]
    result: EncodeResult | None


def encode_title(work: TitleWork, on_progress: OnProgress | None = None, ladder: Ladder | None = None) -> EncodedTitle:
    """Encode and cut the rungs of a title that the store does not hold yet, chunk by chunk.

    A ``ladder`` takes the place of the one that was planned.

    Raises:
        MasterMissing: The master is gone or another one than was probed.
        EncodeTruncated, ProgramError, PackagingError: The encode failed; what it finished is kept for the next run.
        ProtectionError: The title is to be protected and there is no secret, or another one than it is encrypted under.
    """
    store, title_id, settings = work.store, work.title_id, work.settings
    ladder = ladder or read_ladder(store, title_id)
    rungs = ladder.rungs
    missing = _missing_renditions(work, ladder)
    stored = frozenset(rung.rendition_id for rung in rungs) - missing
    require_own_keys(read_forms(store, title_id, _only(ladder, stored), settings), work.keys)
    result = None
    if missing:
        with _chunk_work(work, ladder, missing) as chunk_work:
            plan = find_plan(chunk_work)
            for chunk in plan.chunks:
                encode_chunk(chunk_work, chunk, on_progress)
            result = total_cost(chunk_work)
            if result is not None:
                write_encode_cpu_s(store, title_id, ladder.source_sha256, result.rung_cpu_s)
            files = join_chunks(chunk_work, plan)
            store_forms(store, title_id, _only(ladder, missing), files, settings, chunk_work.folder, work.keys)
    # Also what a run left that was killed while it removed them.
    drop_chunks(store, title_id, ladder.source_sha256, {rung.rendition_id for rung in rungs})
    return EncodedTitle(
        records=read_forms(store, title_id, ladder, settings),
        encoded=[rung.rung for rung in rungs if rung.rendition_id in missing],
        reused=[rung.rung for rung in rungs if rung.rendition_id not in missing],
        result=result,
    )


def find_chunks(work: TitleWork) -> list[Chunk]:
    """The chunks of a title that `encode_title` would encode now, in order.

    They may be encoded apart, on several hosts, by `encode_title_chunk`; `encode_title` then finds them in the store.

    Raises:
        MasterMissing: The master is gone or another one than was probed.
        ProgramError: It could not be searched for changes of shot.
    """
    ladder = read_ladder(work.store, work.title_id)
    missing = _missing_renditions(work, ladder)
    if not missing:
        return []
    with _chunk_work(work, ladder, missing) as chunk_work:
        return [chunk for chunk in find_plan(chunk_work).chunks if not is_encoded(chunk_work, chunk)]


def encode_title_chunk(work: TitleWork, chunk_name: str, on_progress: OnProgress | None = None) -> EncodeResult | None:
    """Encode one chunk of a title into the store; None when nothing of it is missing.

    Raises:
        MasterMissing: The master is gone or another one than was probed.
        EncodeTruncated, ProgramError, PackagingError: The encode failed.
    """
    ladder = read_ladder(work.store, work.title_id)
    missing = _missing_renditions(work, ladder)
    if not missing:
        return None
    with _chunk_work(work, ladder, missing) as chunk_work:
        chunk = next((chunk for chunk in find_plan(chunk_work).chunks if chunk.name == chunk_name), None)
        return None if chunk is None else encode_chunk(chunk_work, chunk, on_progress)


def joined_encodes(encodes: Sequence[EncodedTitle]) -> EncodedTitle:
    """An encode and its corrections as one."""
    last = encodes[-1]
    made = [item.result for item in encodes if item.result is not None]
    encoded = dict.fromkeys(rung for item in encodes for rung in item.encoded)
    return EncodedTitle(
        records=last.records,
        encoded=list(encoded),
        reused=[rung for rung in last.reused if rung not in encoded],
        result=sum_results(made) if made else None,
    )


def _only(ladder: Ladder, rendition_ids: frozenset[str]) -> Ladder:
    return msgspec.structs.replace(
        ladder,
        video=[rung for rung in ladder.video if rung.rendition_id in rendition_ids],
        audio=[rung for rung in ladder.audio if rung.rendition_id in rendition_ids],
    )


def _missing_renditions(work: TitleWork, ladder: Ladder) -> frozenset[str]:
    """The rungs to be encoded, when what another title of the same content has is linked."""
    if twin_title_id := work.read_probed().twin_title_id:
        adopt_renditions(work.store, work.title_id, twin_title_id, ladder, work.settings)
    return frozenset(
        rung.rendition_id
        for rung in ladder.rungs
        if not is_stored(work.store, work.title_id, rung, work.settings, ladder.source_sha256)
    )


@contextmanager
def _chunk_work(work: TitleWork, ladder: Ladder, missing: frozenset[str]) -> Iterator[ChunkWork]:
    with work.scratch_folder() as folder:
        yield ChunkWork(
            store=work.store,
            title_id=work.title_id,
            master=work.probed_master(),
            report=work.read_probed().report,
            ladder=ladder,
            missing=missing,
            settings=work.settings,
            folder=folder,
        )
