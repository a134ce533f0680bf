"""Dividing a film: pure planning."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.media.chunk_encode import ChunkWork, find_plan, total_cost
from orchestration.media.chunks import ChunkPlan, divide, plan_chunks, read_plan, write_plan
from orchestration.media.encode import Span
from orchestration.media.encoders import encoder_cpu_s, keyframe_distance
from orchestration.media.errors import RecordDamaged
from orchestration.media.ladder import Ladder, VideoRung
from orchestration.media.report import ProbeReport
from orchestration.media.settings import MediaSettings
from orchestration.store import LocalStore

SETTINGS = MediaSettings(preset="veryfast", chunk_cpu_s=60.0)


def rung(name: str, width: int, height: int, codec: str = "h264") -> VideoRung:
    return VideoRung(
        rendition_id=f"{name}-{codec}", rung=name, width=width, height=height, cap_bps=1_000_000, crf=23, codec=codec
    )


def ladder(duration_s: float, rate: str = "25", codecs: tuple[str, ...] = ("h264",)) -> Ladder:
    rungs = [
        rung(name, *size, codec) for codec in codecs for name, size in (("1080p", (1920, 1080)), ("480p", (854, 480)))
    ]
    return Ladder(source_sha256="a" * 64, frame_rate=rate, duration_s=duration_s, video=rungs, audio=[])


def report(container: str = "mp4") -> ProbeReport:
    return ProbeReport(
        file="film.mp4", size_bytes=1, verdict="playable", reasons=[], warnings=[], hints=[], container=container
    )


def no_cuts(moments_s, reach_s):
    return {}


@given(
    pictures=st.integers(1, 20_000),
    distance=st.integers(10, 120),
    shortest=st.integers(400, 5_000),
    reach=st.integers(0, 300),
    data=st.data(),
)
def test_spans_cover_the_film_exactly_on_the_grid_and_none_is_short(pictures, distance, shortest, reach, data) -> None:
    def find_cuts(wanted, within):
        assert within == reach
        return {
            moment: data.draw(st.lists(st.integers(max(moment - within, 0), moment + within), max_size=3))
            for moment in wanted
        }

    spans = divide(pictures, distance, shortest=shortest, reach=reach, find_cuts=find_cuts)
    assert spans[0].start == 0
    assert spans[-1].end is None
    assert [span.end for span in spans[:-1]] == [span.start for span in spans[1:]]
    assert all(span.start % distance == 0 for span in spans)
    if len(spans) > 1:
        assert len(spans) % 2 == 0
        ends = [pictures if span.end is None else span.end for span in spans]
        assert min(end - span.start for span, end in zip(spans, ends, strict=True)) >= shortest


def test_a_chunk_starts_at_the_key_frame_next_to_a_change_of_shot() -> None:
    plain = divide(850, 50, shortest=300, reach=100, find_cuts=lambda moments, reach: {})
    moved = divide(850, 50, shortest=300, reach=100, find_cuts=lambda moments, reach: {425: [331, 490]})
    assert plain == moved == [Span()]  # two of 300 and their reach do not fit
    assert len(divide(900, 50, shortest=300, reach=100, find_cuts=lambda m, r: {450: [350]})) == 2
    starts = [span.start for span in divide(2500, 50, shortest=300, reach=100, find_cuts=lambda m, r: {})]
    assert starts == [0, 600, 1250, 1900]
    cut = divide(1300, 50, shortest=300, reach=100, find_cuts=lambda moments, reach: {650: [552, 700]})
    assert [span.start for span in cut] == [0, 700]
    assert divide(1300, 50, shortest=300, reach=100, find_cuts=lambda m, r: {650: [558]})[1].start == 550


def test_a_short_film_is_one_chunk_and_is_not_searched() -> None:
    def never(moments_s, reach_s):
        raise AssertionError("searched")

    [chunk] = plan_chunks(ladder(20.0), report(), SETTINGS, never).chunks
    assert [span.is_whole for span in chunk.spans] == [True]
    assert (chunk.name, chunk.count) == ("h264_0001", 1)


def test_every_chunk_carries_the_work_that_was_asked_for() -> None:
    film = ladder(3600.0)
    plan = plan_chunks(film, report(), SETTINGS, no_cuts)
    assert len(plan.chunks) > 20
    assert {len(chunk.spans) for chunk in plan.chunks} == {2}
    cpu_per_film_s = encoder_cpu_s(film.video, film.rate, SETTINGS)
    lengths = [sum(span.duration_s(film.duration_s, film.rate) for span in chunk.spans) for chunk in plan.chunks]
    assert min(lengths) * cpu_per_film_s >= SETTINGS.chunk_cpu_s
    assert sum(lengths) == 3600.0


def test_a_slow_codec_fills_a_chunk_sooner_on_the_same_grid() -> None:
    film = ladder(1800.0, "30000/1001", ("h264", "vp9"))
    plan = plan_chunks(film, report(), SETTINGS, no_cuts)
    assert len(plan.of("vp9")) > len(plan.of("h264")) > 1
    assert all(span.start % 60 == 0 for chunk in plan.chunks for span in chunk.spans)
    assert len({chunk.name for chunk in plan.chunks}) == len(plan.chunks)


def test_a_container_without_an_index_is_encoded_in_one_piece() -> None:
    [chunk] = plan_chunks(ladder(3600.0), report("mpegts"), SETTINGS, no_cuts).chunks
    assert chunk.spans == [Span()]


def test_a_plan_is_kept_for_its_ladder_and_settings(tmp_path) -> None:
    store, film = LocalStore(tmp_path), ladder(600.0)
    plan = plan_chunks(film, report(), SETTINGS, no_cuts)
    write_plan(store, "film", film, SETTINGS, plan)
    assert read_plan(store, "film", film, SETTINGS) == plan
    assert read_plan(store, "film", film, msgspec.structs.replace(SETTINGS, chunk_cpu_s=90.0)) is None
    assert read_plan(store, "film", ladder(600.0, codecs=("vp9",)), SETTINGS) is None
    assert isinstance(plan, ChunkPlan)


def test_a_damaged_plan_or_cost_is_told_with_what_to_do(tmp_path: Path) -> None:
    store, film = LocalStore(tmp_path / "store"), ladder(600.0)
    write_plan(store, "film", film, SETTINGS, plan_chunks(film, report(), SETTINGS, no_cuts))
    [plan_key] = store.keys("ingest/film/")
    cost_key = f"{plan_key.rpartition('/')[0]}/cost-h264_0001-0000000000000000.json"
    work = ChunkWork(
        store=store, title_id="film", master=tmp_path / "film.mp4", report=report(), ladder=film,
        missing=frozenset(rung.rendition_id for rung in film.video), settings=SETTINGS, folder=tmp_path,
    )  # fmt: skip
    for key, read in ((plan_key, find_plan), (cost_key, total_cost)):
        store.put_bytes(key, b'{"wall_s": 1.0', replace=True)
        with pytest.raises(RecordDamaged, match=f"{key} cannot be read .* delete it and materialise media/renditions"):
            read(work)


@given(rate=st.sampled_from(["24", "25", "30", "50", "60", "24000/1001", "30000/1001", "60000/1001", "25/2", "7"]))
def test_groups_of_pictures_last_what_was_asked_and_less_than_a_picture_more(rate: str) -> None:
    lasting = keyframe_distance(Fraction(rate), 2.0) / Fraction(rate)
    assert 2 <= lasting < 2 + 1 / Fraction(rate)
