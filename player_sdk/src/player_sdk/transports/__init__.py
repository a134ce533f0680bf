"""How bytes travel: real HTTP, or real bytes over an emulated network on a virtual clock."""

from player_sdk.transports.emulated import EmulatedTransport
from player_sdk.transports.http import SharedTransport, http1_transport, http_transport
from player_sdk.transports.link import Link, PathwayLink

__all__ = ["EmulatedTransport", "Link", "PathwayLink", "SharedTransport", "http1_transport", "http_transport"]
