"""What viewers change while they watch: resume positions, last titles, watch-list, preferences.

This is live state for serving, not history: everything here that matters for analysis is in the event log too.
"""

from __future__ import annotations

from playback_api.profile.feed import ProfileFeed, progress_of
from playback_api.profile.models import (
    FINISHED_SHARE,
    Preferences,
    Progress,
    ResumePosition,
    ViewerProfile,
    WatchedTitle,
)
from playback_api.profile.sqlite import SqliteProfileStore
from playback_api.profile.store import DEFAULT_RECENT_LIMIT, ProfileError, ProfileStore

__all__ = [
    "DEFAULT_RECENT_LIMIT",
    "FINISHED_SHARE",
    "Preferences",
    "ProfileError",
    "ProfileFeed",
    "ProfileStore",
    "Progress",
    "ResumePosition",
    "SqliteProfileStore",
    "ViewerProfile",
    "WatchedTitle",
    "progress_of",
]
