from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import msgspec
import pytest

from orchestration.media.probe import probe_file, report_unreadable
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.report import ProbeReport


def test_a_sound_film_is_playable(film: Path) -> None:
    report = probe_file(film)
    assert report.verdict == "playable"
    assert report.reasons == []
    assert (report.video.width, report.video.height, report.video.frame_rate) == (854, 480, "25")
    assert report.decoded_duration_s == pytest.approx(10, abs=0.05)
    assert [track.channels for track in report.audio] == [1]


def test_the_report_survives_json(film: Path) -> None:
    report = probe_file(film)
    assert msgspec.json.decode(msgspec.json.encode(report), type=ProbeReport) == report


def test_an_empty_file_is_rejected_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    report = probe_file(tmp_path / "empty.mp4")
    assert report.reasons == ["the file is empty (0 bytes)"]
    assert "Upload the file again" in report.hints[0]


def test_text_under_a_media_name_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no film at all\n" * 50)
    report = probe_file(tmp_path / "notes.mp4")
    assert report.verdict == "rejected"
    assert "not a media container: it holds plain text" in report.reasons


def test_a_lost_index_is_rejected_as_an_incomplete_upload(film: Path, tmp_path: Path) -> None:
    content = film.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) * 6 // 10])
    report = probe_file(tmp_path / "cut.mp4")
    assert report.verdict == "rejected"
    assert "moov" in report.reasons[0]


def test_a_file_cut_after_its_index_is_rejected_as_truncated(make_film, tmp_path: Path) -> None:
    whole = make_film(tmp_path / "whole.mp4", "-movflags", "+faststart", duration_s=4)
    content = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])
    report = probe_file(tmp_path / "cut.mp4")
    assert report.verdict == "rejected"
    assert report.reasons[0].startswith("truncated: the file ends")


def test_a_cut_matroska_file_is_rejected_as_truncated(make_film, tmp_path: Path) -> None:
    content = make_film(tmp_path / "whole.mkv", duration_s=6).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) // 2])
    report = probe_file(tmp_path / "cut.mkv")
    assert report.verdict == "rejected"
    assert report.reasons[0].startswith("truncated: ")


def test_sound_alone_is_no_film(make_film, tmp_path: Path) -> None:
    report = probe_file(make_film(tmp_path / "sound.mp4", "-vn"))
    assert report.reasons == ["no video track; it holds audio (aac)"]


def test_an_ogg_file_says_what_it_holds_in_the_place_of_a_picture(make_film, tmp_path: Path) -> None:
    sound = make_film(tmp_path / "sound.ogv", "-vn", "-c:a", "libvorbis", "-f", "ogg")
    report = probe_file(sound)
    assert report.reasons == ["no video track; it holds audio (vorbis)"]
    assert "picture and the sound in one file" in report.hints[0]
    (tmp_path / "cut.ogv").write_bytes(sound.read_bytes()[:40])
    cut = probe_file(tmp_path / "cut.ogv")
    assert cut.reasons == ["truncated: the ogg file ends within its header"]
    assert cut.hints[0].startswith("Upload the file again")


def test_an_index_without_a_track_is_told_as_such(tmp_path: Path) -> None:
    boxes = [b"ftypisom\0\0\0\0isom", b"moov", b"mdat" + bytes(1000)]
    path = tmp_path / "film.mp4"
    path.write_bytes(b"".join((len(box) + 4).to_bytes(4, "big") + box for box in boxes))
    report = probe_file(path)
    assert report.reasons == ["the index names no track: neither picture nor sound"]
    assert report.hints[0].startswith("Export it again")


@pytest.mark.parametrize("share", [0.03, 0.5])
def test_a_file_cut_within_its_index_is_rejected_as_truncated(make_film, tmp_path: Path, share: float) -> None:
    content = make_film(tmp_path / "whole.mp4").read_bytes()
    index = content.index(b"moov")
    (tmp_path / "cut.mp4").write_bytes(content[: index + int(share * (len(content) - index))])
    report = probe_file(tmp_path / "cut.mp4")
    assert len(report.reasons) == len(report.hints) == 1
    assert report.reasons[0].startswith("truncated: ")
    assert report.hints[0].startswith("Upload the file again")


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (FileNotFoundError(2, "No such file or directory"), "Check the path"),
        (IsADirectoryError(21, "Is a directory"), "Name the files in the folder"),
        (PermissionError(13, "Permission denied"), "the right to read"),
        (OSError(5, "Input/output error"), "Check the disk"),
    ],
)
def test_what_cannot_be_read_is_rejected_with_a_hint(error: OSError, hint: str) -> None:
    report = report_unreadable(Path("folder/film.mp4"), error)
    assert (report.file, report.verdict) == ("film.mp4", "rejected")
    assert report.reasons == [f"the file cannot be read: {error.strerror}"]
    assert hint in report.hints[0]


def test_garbage_in_a_sound_container_cannot_be_decoded(make_film, tmp_path: Path) -> None:
    content = bytearray(make_film(tmp_path / "whole.mp4", "-an").read_bytes())
    start = content.index(b"mdat") + 4
    end = content.index(b"moov") - 4
    content[start:end] = b"\x55" * (end - start)
    (tmp_path / "garbage.mp4").write_bytes(content)
    report = probe_file(tmp_path / "garbage.mp4")
    assert report.verdict == "rejected"
    assert "cannot be decoded" in report.reasons[0]


def test_damage_is_reported_and_not_silent(film: Path, tmp_path: Path) -> None:
    content = bytearray(film.read_bytes())
    start = content.index(b"mdat") + 2000
    for offset in range(start, start + 60_000, 1500):
        content[offset : offset + 16] = b"\xa5" * 16
    (tmp_path / "damaged.mp4").write_bytes(content)
    report = probe_file(tmp_path / "damaged.mp4")
    assert report.playable
    assert report.corrupt_frames > 0
    assert any("damaged" in warning for warning in report.warnings)


def test_a_short_film_is_rejected(make_film, tmp_path: Path) -> None:
    report = probe_file(make_film(tmp_path / "blink.mp4", duration_s=0.2))
    assert report.reasons[0].startswith("too short")


def test_a_film_without_a_declared_duration_is_measured(make_film, tmp_path: Path) -> None:
    report = probe_file(make_film(tmp_path / "live.mkv", "-live", "1"))
    assert report.playable
    assert report.declared_duration_s is None
    assert report.decoded_duration_s == pytest.approx(2, abs=0.1)


def test_rotation_is_respected(tmp_path: Path, silent_film: Path) -> None:
    rotated = tmp_path / "rotated.mp4"
    command = [
        find_ffmpeg(),
        "-v",
        "error",
        "-display_rotation",
        "90",
        "-i",
        str(silent_film),
        "-c",
        "copy",
        str(rotated),
    ]
    run_program(command, timeout_s=30)
    video = probe_file(rotated).video
    assert (video.width, video.height) == (180, 320)
    assert abs(video.rotation_degrees) == 90


def test_ten_bits_and_interlacing_are_seen(make_film, tmp_path: Path) -> None:
    deep = probe_file(make_film(tmp_path / "deep.mp4", "-pix_fmt", "yuv422p10le")).video
    assert (deep.bit_depth, deep.pixel_format) == (10, "yuv422p10le")
    interlaced = make_film(
        tmp_path / "fields.ts", "-vf", "tinterlace=mode=4", "-flags", "+ilme+ildct", "-c:v", "mpeg2video"
    )
    assert probe_file(interlaced).video.interlaced


def test_an_absurd_declared_rate_does_not_count(make_film, tmp_path: Path) -> None:
    video = probe_file(make_film(tmp_path / "ms.mkv", rate="30000/1001", duration_s=4)).video
    assert video.frame_rate == "30000/1001"


def test_sound_that_is_broken_in_its_middle_is_told(tmp_path: Path, make_film: Callable[..., Path]) -> None:
    film = make_film(tmp_path / "film.mp4", duration_s=6)
    content = bytearray(film.read_bytes())
    with av.open(str(film)) as container:
        for packet in container.demux(audio=0):
            if packet.size and 2.9 < packet.pts * packet.time_base < 3.6:
                content[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    film.write_bytes(content)
    report = probe_file(film)
    assert report.playable
    assert report.audio[0].usable
    [warning] = report.warnings
    assert "sampled packets of audio track 1 cannot be decoded" in warning


def test_pictures_crammed_into_a_moment_are_told(tmp_path: Path, make_film: Callable[..., Path]) -> None:
    film = make_film(tmp_path / "film.mkv", "-vf", "setpts=PTS/30", "-fps_mode", "passthrough", duration_s=2)
    assert any(warning.startswith("50 pictures in 0.0") for warning in probe_file(film).warnings)


def test_a_damaged_timestamp_does_not_make_a_film_longer(tmp_path: Path, make_film: Callable[..., Path]) -> None:
    film = make_film(tmp_path / "film.mkv", "-cluster_time_limit", "500", duration_s=2)
    content = bytearray(film.read_bytes())
    last_cluster = content.rindex(bytes.fromhex("1f43b675"))
    timestamp = content.index(b"\xe7\x82", last_cluster) + 2  # in milliseconds, two bytes
    content[timestamp] ^= 0x40
    film.write_bytes(content)
    report = probe_file(film)
    assert not report.playable
    assert "the header declares 2.0 s, the timestamps go on to 18." in report.reasons[0]


def test_a_title_that_is_no_text_harms_nothing(tmp_path: Path, make_film: Callable[..., Path]) -> None:
    film = make_film(tmp_path / "film.mkv", "-metadata", "title=A readable title")
    film.write_bytes(film.read_bytes().replace(b"A readable", b"\xf6 readable"))
    assert probe_file(film).playable
