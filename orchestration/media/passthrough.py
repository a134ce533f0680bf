"""A master that is fit for players as it is, cut into segments without an encode.

H.264 with AAC in an MP4 file, as most deliveries are, needs only to be cut to be played: seconds for a long film. Its
key frames stand where its encoder put them and its rate is its own, so it serves until our own rungs are there, and is
no part of a complete package.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from orchestration.media.cmaf import EncodedFile, cut_segments
from orchestration.media.ladder import cap_bps, output_rate
from orchestration.media.protection import KeyGroup, Protection, protections
from orchestration.media.recipe import rendition_id
from orchestration.media.renditions import RenditionRecord, store_rendition
from orchestration.media.report import AudioTrack, ProbeReport
from orchestration.media.settings import MediaSettings
from orchestration.media.sound import plan_sound
from orchestration.media.title_work import TitleWork

RATE_LIMIT = 4.0
"""A master may cost this many times what our own rung of its size may: more than that few lines carry."""
LONGEST_SEGMENT_S = 12.0
LATEST_START_S = 0.1


def can_pass(report: ProbeReport) -> bool:
    """Whether players can play a master as it is, as far as its probe tells; its groups of pictures show when cut."""
    video = report.video
    rate_bps = report.size_bytes * 8 / max(report.decoded_duration_s, 0.001)
    return (
        "mp4" in (report.container or "")
        and video.codec == "h264"
        and video.pixel_format == "yuv420p"
        and video.transfer == "sdr"
        and not (video.interlaced or video.variable_frame_rate or video.rotation_degrees)
        and (video.width, video.height) == (video.coded_width, video.coded_height)
        and video.start_s <= LATEST_START_S
        and rate_bps <= RATE_LIMIT * cap_bps(video.width, video.height, output_rate(video))
        and all(_sound_can_pass(track) for track in report.tracks if isinstance(track, AudioTrack))
    )


def cut_master(work: TitleWork, folder: Path) -> list[RenditionRecord]:
    """Cut a master that `can_pass`, with all its sound, into the store; empty when its segments come out too long.

    Raises:
        MasterMissing: It is gone or another one than was probed.
        ProgramError, PackagingError: It cannot be cut.
    """
    settings, master, probed = work.settings, work.probed_master(), work.read_probed()
    report, source_sha256 = probed.report, probed.sha256
    protection = protections(settings, source_sha256)[0]
    name = f"{min(report.video.width, report.video.height)}p-master"
    encoded = [_master_as("video", name, report.video.index, master, source_sha256, settings, protection)]
    # The tracks are named and ordered as they will be once they are encoded.
    stereo_alone = msgspec.structs.replace(settings, surround=False)
    for rung in plan_sound(report.audio, source_sha256, stereo_alone):
        sound = _master_as(
            "audio", f"{rung.rung}-master", rung.track_index, master, source_sha256, settings, protection
        )
        encoded.append(replace(sound, language=rung.language, name=rung.name, role=rung.role))
    records = cut_segments(encoded, settings, folder, protection, work.keys)
    longest_s = max(records[0].segment_duration_s(segment) for segment in records[0].segments)
    if longest_s > LONGEST_SEGMENT_S:
        return []
    for record in records:
        store_rendition(work.store, work.title_id, record, folder / record.rendition.rendition_id)
    return records


def _master_as(
    group: KeyGroup,
    rung: str,
    track_index: int,
    master: Path,
    source_sha256: str,
    settings: MediaSettings,
    protection: Protection | None,
) -> EncodedFile:
    cut_id = rendition_id(source_sha256, ["as-delivered", group, track_index, settings.segment_duration_s])
    stored_id = cut_id if protection is None else protection.rendition_id(cut_id, group)
    return EncodedFile(path=master.resolve(), rendition_id=stored_id, rung=rung, kind=group, stream=track_index)


def _sound_can_pass(audio: AudioTrack) -> bool:
    return audio.usable and audio.codec == "aac" and audio.channels <= 2 and audio.start_s <= LATEST_START_S
