"""What viewers did and chose, read while they use the API. A profile that cannot be read never stops playback."""

from __future__ import annotations

import logging
from collections.abc import Callable

from playback_api.domain.counters import Counters
from playback_api.profile import Preferences, ProfileError, ProfileStore, ViewerProfile

logger = logging.getLogger(__name__)


class ProfileService:
    """Reads live profiles.

    Args:
        open_store: Opens the store, when the server starts.
        counters: Where failed reads are counted.
    """

    def __init__(self, open_store: Callable[[], ProfileStore], counters: Counters) -> None:
        self._open_store = open_store
        self._counters = counters
        self._store: ProfileStore | None = None

    def open(self) -> None:
        """Open the store; raises ProfileError when it cannot be."""
        self._store = self._open_store()

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def profile(self, viewer_id: str) -> ViewerProfile:
        """Everything known live of a viewer; an empty profile, counted and logged, when the store fails."""
        try:
            return self._opened().profile(viewer_id)
        except ProfileError as error:
            self._report(viewer_id, error)
            return ViewerProfile(viewer_id=viewer_id, resume=[], recent=[], watch_list=[], preferences=Preferences())

    def resume_position_s(self, viewer_id: str, title_id: str) -> float:
        """Where the viewer left off; 0 to start from the beginning."""
        try:
            position = self._opened().resume(viewer_id, title_id)
        except ProfileError as error:
            self._report(viewer_id, error)
            return 0.0
        return position.position_s if position is not None else 0.0

    def _opened(self) -> ProfileStore:
        if self._store is None:
            raise ProfileError("the profile store is not open")
        return self._store

    def _report(self, viewer_id: str, error: ProfileError) -> None:
        self._counters.add("profile_read_failures")
        logger.warning("the profile of %s is left out of this answer: %s", viewer_id, error)


def strictest_age(requested: int | None, profile: ViewerProfile) -> int | None:
    """The age limit that holds: the lower of what the request says and what the viewer chose."""
    limits = [limit for limit in (requested, profile.preferences.maturity_age_limit) if limit is not None]
    return min(limits) if limits else None
