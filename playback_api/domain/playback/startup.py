"""What a device and a network can use: the rungs worth having near, and the bit rate to start with."""

from __future__ import annotations

from collections.abc import Sequence

from playback_api.snapshot import RungRecord

MAX_HEIGHT_BY_DEVICE = {"mobile": 720, "tablet": 1080, "desktop": 1080, "tv-hd": 1080, "tv-4k": 2160}
DEFAULT_MAX_HEIGHT = 1080
BANDWIDTH_BPS_BY_NETWORK_CLASS = {"slow": 1.0e6, "mixed": 4.0e6, "fast": 20.0e6}
DEFAULT_BANDWIDTH_BPS = 3.0e6
STARTUP_SHARE_MEASURED = 0.6
"""Share of a throughput that the client measured lately that the first rung may take."""
STARTUP_SHARE_ASSUMED = 0.4
"""The same when only the class of the network is known."""


def max_height_of(device: str) -> int:
    """Tallest picture that a device shows better than a smaller one."""
    return MAX_HEIGHT_BY_DEVICE.get(device, DEFAULT_MAX_HEIGHT)


def expected_bandwidth_bps(network_class: str, throughput_bps: float | None) -> float:
    """What was measured, else what such networks usually give."""
    if throughput_bps:
        return throughput_bps
    return BANDWIDTH_BPS_BY_NETWORK_CLASS.get(network_class, DEFAULT_BANDWIDTH_BPS)


def usable_rungs(rungs: Sequence[RungRecord], *, max_height: int, bandwidth_bps: float) -> list[RungRecord]:
    """The rungs that screen and network can use, lowest bit rate first; never none of a ladder that has any."""
    ladder = sorted(rungs, key=lambda rung: rung.bitrate_bps)
    fitting = [
        rung for rung in ladder if min(rung.width, rung.height) <= max_height and rung.bitrate_bps <= bandwidth_bps
    ]
    return fitting or ladder[:1]


def startup_bitrate_bps(
    rungs: Sequence[RungRecord], *, device: str, network_class: str, throughput_bps: float | None
) -> int:
    """The bit rate of the rung to start with: a careful share of the network, since a stall costs more than a step up.

    0 for a title without rungs.
    """
    share = STARTUP_SHARE_MEASURED if throughput_bps else STARTUP_SHARE_ASSUMED
    budget_bps = expected_bandwidth_bps(network_class, throughput_bps) * share
    fitting = usable_rungs(rungs, max_height=max_height_of(device), bandwidth_bps=budget_bps)
    return fitting[-1].bitrate_bps if fitting else 0
