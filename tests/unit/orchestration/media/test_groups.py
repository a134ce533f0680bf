from __future__ import annotations

from typing import Literal

from orchestration.media.groups import audio_groups, audio_lines
from orchestration.media.objects import Rendition
from orchestration.media.renditions import RENDITION_SCHEMA_VERSION, RenditionRecord


def sound(name: str, role: Literal["main", "commentary"]) -> RenditionRecord:
    return RenditionRecord(
        schema_version=RENDITION_SCHEMA_VERSION,
        rendition=Rendition(
            rendition_id=name, rung=name, kind="audio", codecs="mp4a.40.2", bitrate_bps=1, peak_bitrate_bps=1,
            language="en", name=name, role=role,
        ),
        timescale=48_000, frame_rate="", channels=2, sample_rate_hz=48_000, init_size_bytes=1, init_sha256="",
        segments=[], key_frames=[],
    )  # fmt: skip


def flags(*records: RenditionRecord) -> list[tuple[str, str]]:
    lines = audio_lines(audio_groups(records), {record.rendition.rung: "a.m3u8" for record in records})
    found = [dict(item.split("=", 1) for item in line.split(":", 1)[1].split(",")) for line in lines]
    return [(item["DEFAULT"], item["AUTOSELECT"]) for item in found]


def test_a_commentary_is_selected_by_itself_only_where_there_is_nothing_else() -> None:
    assert flags(sound("film", "main"), sound("director", "commentary")) == [("YES", "YES"), ("NO", "NO")]
    assert flags(sound("director", "commentary")) == [("YES", "YES")]


def test_of_two_alike_the_first_is_selected() -> None:
    assert flags(sound("film", "main"), sound("film again", "main")) == [("YES", "YES"), ("NO", "NO")]
