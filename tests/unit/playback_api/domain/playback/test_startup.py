import pytest

from playback_api.domain.playback.startup import (
    expected_bandwidth_bps,
    max_height_of,
    startup_bitrate_bps,
    usable_rungs,
)
from playback_api.snapshot import RungRecord

LADDER = [
    RungRecord(rung=f"{height}p", width=height * 16 // 9, height=height, bitrate_bps=bitrate_bps, codecs="avc1")
    for height, bitrate_bps in ((2160, 16_000_000), (240, 300_000), (720, 2_500_000), (1080, 5_000_000))
]


@pytest.mark.parametrize(
    ("device", "network_class", "throughput_bps", "expected"),
    [
        ("mobile", "fast", None, 2_500_000),
        ("desktop", "fast", None, 5_000_000),
        ("tv-4k", "fast", 100e6, 16_000_000),
        ("tv-hd", "fast", 100e6, 5_000_000),
        ("desktop", "slow", None, 300_000),
        ("desktop", "mixed", None, 300_000),
        ("desktop", "slow", 10e6, 5_000_000),
        ("desktop", "fast", 50_000, 300_000),
    ],
)
def test_the_start_follows_screen_and_network(device, network_class, throughput_bps, expected):
    found = startup_bitrate_bps(LADDER, device=device, network_class=network_class, throughput_bps=throughput_bps)
    assert found == expected


def test_a_portrait_video_is_measured_by_its_short_side():
    portrait = RungRecord(rung="1280p", width=720, height=1280, bitrate_bps=1_000_000, codecs="avc1")
    assert usable_rungs([portrait, *LADDER], max_height=720, bandwidth_bps=2e6)[-1] is portrait


def test_unknown_devices_and_networks_have_a_default_and_an_empty_ladder_no_rate():
    assert max_height_of("fridge") == 1080
    assert expected_bandwidth_bps("carrier-pigeon", None) == 3.0e6
    assert startup_bitrate_bps([], device="mobile", network_class="fast", throughput_bps=None) == 0
