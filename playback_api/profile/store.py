"""What every profile store can do, whatever it is made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

from playback_api.profile.models import Preferences, Progress, ResumePosition, ViewerProfile, WatchedTitle

DEFAULT_RECENT_LIMIT = 50


class ProfileError(Exception):
    """The profile store cannot be read or written now."""


class ProfileStore(Protocol):
    """Live profiles. A viewer who was never seen has an empty one; every call may raise ``ProfileError``."""

    def recent(self, viewer_id: str, limit: int = DEFAULT_RECENT_LIMIT) -> list[WatchedTitle]:
        """The titles a viewer played last, newest first."""
        ...

    def resume(self, viewer_id: str, title_id: str) -> ResumePosition | None:
        """Where a title goes on; None when it was never begun, or was finished."""
        ...

    def profile(self, viewer_id: str) -> ViewerProfile:
        """Everything known live of a viewer."""
        ...

    def record_progress(self, progress: Sequence[Progress]) -> None:
        """Take in how far viewers have come; what is older than what is known moves nothing back."""
        ...

    def add_to_watch_list(self, viewer_id: str, title_id: str, *, added_at: dt.datetime) -> None:
        """Keep a title for later; one that is there already stays where it is."""
        ...

    def remove_from_watch_list(self, viewer_id: str, title_id: str) -> None:
        """Drop a title; one that is not there is no error."""
        ...

    def set_preferences(self, viewer_id: str, preferences: Preferences) -> None:
        """Replace a viewer's preferences."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...
