"""What a player sends to start, and what it gets."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from playback_api.domain.identifiers import Label, RegionId, TitleId, ViewerId

DEVICES = "mobile, tablet, desktop, tv-hd, tv-4k"
Throughput = Annotated[
    float, msgspec.Meta(gt=0, le=1e12, description="What the client measured lately.", examples=[6.5e6])
]
AgeLimit = Annotated[int, msgspec.Meta(ge=0, le=150, description="Refuse titles rated above it.", examples=[12])]


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants to play what, where, on what."""

    viewer_id: ViewerId
    title_id: TitleId
    region_id: RegionId
    device: Annotated[Label, msgspec.Meta(description=f"{DEVICES} or another.", examples=["desktop"])] = "unknown"
    network_class: Annotated[Label, msgspec.Meta(description="slow, mixed or fast.", examples=["mixed"])] = "unknown"
    throughput_bps: Throughput | None = None
    max_age: AgeLimit | None = None


class SessionPathway(msgspec.Struct, frozen=True, kw_only=True):
    """A place to load the title from."""

    pathway_id: Annotated[str, msgspec.Meta(examples=["eu-north-1"])]
    base_url: Annotated[str, msgspec.Meta(description="The title's paths are relative to it.")]
    latency_hint_s: Annotated[float, msgspec.Meta(description="Expected latency from the viewer's region.")]


class PlaybackSession(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a player needs to start now and to stay well afterwards."""

    session_id: str
    token: Annotated[str, msgspec.Meta(description="Signed; steering asks for it.")]
    expires_at: dt.datetime
    title_id: str
    package_id: str
    duration_s: float
    pathways: Annotated[list[SessionPathway], msgspec.Meta(description="Best first; the last resort is the origin.")]
    hls_path: str
    dash_path: str
    steering_url: str
    beats_url: str
    beat_interval_s: float
    resume_position_s: Annotated[float, msgspec.Meta(description="Where the viewer left off; 0 to start over.")]
    startup_bitrate_bps: Annotated[int, msgspec.Meta(description="Bit rate of the rung to start with.")]
    snapshot_id: Annotated[str, msgspec.Meta(description="What this answer was made from.")]
