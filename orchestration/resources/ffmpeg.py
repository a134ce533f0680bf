"""The media tools as a Dagster resource: encoder settings that an installation may change in its configuration."""

from __future__ import annotations

import dagster as dg

from orchestration.media.settings import MediaSettings

_DEFAULTS = MediaSettings()


class MediaTools(dg.ConfigurableResource):
    """How masters are encoded. The fields are told in `orchestration.media.settings.MediaSettings`."""

    preset: str = _DEFAULTS.preset
    crf: int = _DEFAULTS.crf
    max_rungs: int = _DEFAULTS.max_rungs
    threads: int = _DEFAULTS.threads

    def settings(self) -> MediaSettings:
        """What the media steps take."""
        return MediaSettings(preset=self.preset, crf=self.crf, max_rungs=self.max_rungs, threads=self.threads)
