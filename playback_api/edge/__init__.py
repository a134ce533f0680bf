"""The inner parts of an edge node: its disk, its fill, its pull-through. ``edge_node`` puts them together.

schema          wire types of fill, purge, inventory
signing         who may give orders
store           the disk as one thing, over disk, journal, placement and eviction
fill_job        brings a plan's objects in
upstream        the way to the origin; pull_through asks it once for many
media_handler   serves /media
load            how busy the edge is, for routing
node            these parts over one reading of the disk, and the order to read it anew
"""

from playback_api.edge.counters import EdgeCounters
from playback_api.edge.disk import EdgeDisk
from playback_api.edge.errors import (
    DiskNotReadError,
    EdgeNodeError,
    FillRefusedError,
    FillRunningError,
    PlanInvalidError,
    PlanTooLargeError,
    RescanRefusedError,
    SignatureRefusedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from playback_api.edge.fill_job import FillJob
from playback_api.edge.journal import Journal
from playback_api.edge.load import LoadMeter
from playback_api.edge.media_handler import EdgeMedia
from playback_api.edge.node import RETRY_AFTER_S, EdgeNode, EdgeParts
from playback_api.edge.pull_through import PullThrough
from playback_api.edge.schema import (
    EdgeInventory,
    FillGroup,
    FillObject,
    FillOrder,
    FillProgress,
    PurgeOrder,
    PurgeReport,
)
from playback_api.edge.signing import SIGNATURE_HEADER, sign, verify
from playback_api.edge.store import EdgeStore, read_boot_id
from playback_api.edge.upstream import Upstream

__all__ = [
    "RETRY_AFTER_S",
    "SIGNATURE_HEADER",
    "DiskNotReadError",
    "EdgeCounters",
    "EdgeDisk",
    "EdgeInventory",
    "EdgeMedia",
    "EdgeNode",
    "EdgeNodeError",
    "EdgeParts",
    "EdgeStore",
    "FillGroup",
    "FillJob",
    "FillObject",
    "FillOrder",
    "FillProgress",
    "FillRefusedError",
    "FillRunningError",
    "Journal",
    "LoadMeter",
    "PlanInvalidError",
    "PlanTooLargeError",
    "PullThrough",
    "PurgeOrder",
    "PurgeReport",
    "RescanRefusedError",
    "SignatureRefusedError",
    "Upstream",
    "UpstreamError",
    "UpstreamTimeoutError",
    "read_boot_id",
    "sign",
    "verify",
]
