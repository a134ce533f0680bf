"""The media tools as a Dagster resource: encoder settings that an installation may change in its configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg
import msgspec

from orchestration.media.settings import MediaSettings
from orchestration.settings import SettingsError

VARIABLE = "MATINEE_MEDIA"
EXAMPLE = '{"codecs": ["h264", "av1"], "protection": "cenc"}'
_DEFAULTS = MediaSettings()


class MediaTools(dg.ConfigurableResource):
    """How masters are encoded. The fields are told in `orchestration.media.settings.MediaSettings`."""

    ladder: str = _DEFAULTS.ladder
    quality_frames: int = _DEFAULTS.quality_frames
    preset: str = _DEFAULTS.preset
    crf: int = _DEFAULTS.crf
    max_rungs: int = _DEFAULTS.max_rungs
    codecs: list[str] = list(_DEFAULTS.codecs)
    extra_codec_rungs: int = _DEFAULTS.extra_codec_rungs
    hevc_preset: str = _DEFAULTS.hevc_preset
    vp9_speed: int = _DEFAULTS.vp9_speed
    av1_preset: int = _DEFAULTS.av1_preset
    chunk_cpu_s: float = _DEFAULTS.chunk_cpu_s
    threads: int = _DEFAULTS.threads
    keyframe_interval_s: float = _DEFAULTS.keyframe_interval_s
    segment_duration_s: float = _DEFAULTS.segment_duration_s
    audio_bitrate_bps: int = _DEFAULTS.audio_bitrate_bps
    surround: bool = _DEFAULTS.surround
    surround_bitrate_bps: int = _DEFAULTS.surround_bitrate_bps
    opus: bool = _DEFAULTS.opus
    opus_bitrate_bps: int = _DEFAULTS.opus_bitrate_bps
    loudness_lufs: float | None = _DEFAULTS.loudness_lufs
    first_rung_from_s: float | None = _DEFAULTS.first_rung_from_s
    protection: str = _DEFAULTS.protection
    hls_aes_128: bool = _DEFAULTS.hls_aes_128
    key_generation: int = _DEFAULTS.key_generation
    key_server_url: str = _DEFAULTS.key_server_url

    def settings(self) -> MediaSettings:
        """What the media steps take."""
        return msgspec.convert({name: getattr(self, name) for name in MediaSettings.__struct_fields__}, MediaSettings)


def read_media_tools(environment: Mapping[str, str] = os.environ) -> MediaTools:
    """The tools of an installation: the defaults, but for what ``MATINEE_MEDIA`` says, a JSON object of fields.

    Raises:
        SettingsError: It is no such object, or a field is unknown or has the wrong form.
    """
    text = environment.get(VARIABLE) or "{}"
    try:
        msgspec.json.decode(text, type=MediaSettings)
    except msgspec.DecodeError as error:
        raise SettingsError(f"{VARIABLE} is {text!r}: {error}; give it as in {EXAMPLE}") from error
    given = msgspec.json.decode(text, type=dict[str, Any])
    if unknown := sorted(given.keys() - set(MediaSettings.__struct_fields__)):
        known = ", ".join(MediaSettings.__struct_fields__)
        raise SettingsError(f"{VARIABLE} has {', '.join(unknown)}, which is no encoder setting; known are {known}")
    return MediaTools(**given)
