"""What is known live of a viewer: records without storage."""

from __future__ import annotations

import datetime as dt

import msgspec

FINISHED_SHARE = 0.95
"""From here on a title counts as finished: what is left are the credits, and there is nothing to resume."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a viewer had come in a title at a moment. ``seen_at`` is UTC; ``duration_s`` is never 0."""

    viewer_id: str
    title_id: str
    position_s: float
    duration_s: float
    seen_at: dt.datetime

    @property
    def completion(self) -> float:
        """Share of the title before the position, 0 to 1."""
        return min(1.0, self.position_s / self.duration_s)

    @property
    def finished(self) -> bool:
        """Whether the position is so near the end that nothing is left to resume."""
        return self.completion >= FINISHED_SHARE


class ResumePosition(msgspec.Struct, frozen=True, kw_only=True):
    """Where a title that was not finished goes on."""

    title_id: str
    position_s: float
    duration_s: float
    updated_at: dt.datetime


class WatchedTitle(msgspec.Struct, frozen=True, kw_only=True):
    """A title that a viewer played: the furthest share ever seen of it, and when it was played last."""

    title_id: str
    completion: float
    finished: bool
    watched_at: dt.datetime


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What a viewer chose. None leaves the choice to the player."""

    audio_language: str | None = None
    caption_language: str | None = None
    maturity_age_limit: int | None = None
    autoplay: bool = True


class ViewerProfile(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, newest first."""

    viewer_id: str
    resume: list[ResumePosition]
    recent: list[WatchedTitle]
    watch_list: list[str]
    preferences: Preferences
