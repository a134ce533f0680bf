"""Matinee's player: adaptive streaming, content steering and heartbeats for headless clients.

Open a ``Player``, ask it for a ``Session``, and watch. Test doubles are in ``player_sdk.testing``, whole sessions
without a network in ``player_sdk.simulation``.
"""

from player_sdk.abr import Abr, BolaAbr, DefaultAbr, MarkovMpcAbr, RobustMpcAbr, ThroughputAbr
from player_sdk.beat_sender import HeartbeatSettings
from player_sdk.client import Player
from player_sdk.clock import Clock, SystemClock, VirtualClock
from player_sdk.errors import (
    ApiError,
    DeliveryError,
    OfflineExpired,
    PlayerError,
    PlaylistError,
    ServiceUnavailable,
    TitleNotFound,
    TitleUnavailable,
)
from player_sdk.events import (
    Ended,
    Event,
    PathwaySwitched,
    Paused,
    RequestFailed,
    Resumed,
    SegmentAbandoned,
    SegmentContent,
    SegmentDownloaded,
    Sought,
    Stalled,
    Started,
    Switched,
    TrackChanged,
)
from player_sdk.frames import DecodedFrame
from player_sdk.loader import RetrySettings
from player_sdk.models import (
    CataloguePage,
    HomeItem,
    HomePage,
    HomeRow,
    Pathway,
    PlaybackPlan,
    SearchResults,
    Title,
    Viewer,
)
from player_sdk.network_memory import NetworkMemory
from player_sdk.offline import OfflineTitle
from player_sdk.playback_settings import PlaybackSettings
from player_sdk.playlist import Presentation, Track
from player_sdk.report import SessionReport
from player_sdk.session import Session
from player_sdk.stream_muxer import STREAM_CODECS, StreamPiece
from player_sdk.sync import SyncPlayer, SyncSession
from player_sdk.transports import EmulatedTransport, Link, PathwayLink, http1_transport, http_transport

__all__ = [
    "STREAM_CODECS",
    "Abr",
    "ApiError",
    "BolaAbr",
    "CataloguePage",
    "Clock",
    "DecodedFrame",
    "DefaultAbr",
    "DeliveryError",
    "EmulatedTransport",
    "Ended",
    "Event",
    "HeartbeatSettings",
    "HomeItem",
    "HomePage",
    "HomeRow",
    "Link",
    "MarkovMpcAbr",
    "NetworkMemory",
    "OfflineExpired",
    "OfflineTitle",
    "Pathway",
    "PathwayLink",
    "PathwaySwitched",
    "Paused",
    "PlaybackPlan",
    "PlaybackSettings",
    "Player",
    "PlayerError",
    "PlaylistError",
    "Presentation",
    "RequestFailed",
    "Resumed",
    "RetrySettings",
    "RobustMpcAbr",
    "SearchResults",
    "SegmentAbandoned",
    "SegmentContent",
    "SegmentDownloaded",
    "ServiceUnavailable",
    "Session",
    "SessionReport",
    "Sought",
    "Stalled",
    "Started",
    "StreamPiece",
    "Switched",
    "SyncPlayer",
    "SyncSession",
    "SystemClock",
    "ThroughputAbr",
    "Title",
    "TitleNotFound",
    "TitleUnavailable",
    "Track",
    "TrackChanged",
    "Viewer",
    "VirtualClock",
    "http1_transport",
    "http_transport",
]
