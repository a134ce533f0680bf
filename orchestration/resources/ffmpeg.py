"""The media tools as a Dagster resource: encoder settings that an installation may change in its configuration."""

from __future__ import annotations

import dagster as dg
import msgspec

from orchestration.media.settings import MediaSettings

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
    first_rung_from_s: float | None = _DEFAULTS.first_rung_from_s
    protection: str = _DEFAULTS.protection
    hls_aes_128: bool = _DEFAULTS.hls_aes_128
    key_generation: int = _DEFAULTS.key_generation
    key_server_url: str = _DEFAULTS.key_server_url

    def settings(self) -> MediaSettings:
        """What the media steps take."""
        return msgspec.convert(
            {name: getattr(self, name) for name in MediaSettings.__struct_fields__ if hasattr(self, name)},
            MediaSettings,
        )
