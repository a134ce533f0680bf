from __future__ import annotations

import pytest

from orchestration.media.cmaf import average_bitrate_bps, peak_bitrate_bps, target_duration_s


def test_peak_is_the_busiest_segment() -> None:
    assert peak_bitrate_bps([1000, 4000, 1000], [4.0, 4.0, 4.0]) == 8001


def test_a_short_last_segment_counts_with_its_neighbour() -> None:
    # 0.5 s alone is too short to be a peak; with the segment before it, it lasts 4.5 s.
    assert peak_bitrate_bps([4000, 4000], [4.0, 0.5]) == int(8000 * 8 / 4.5) + 1


def test_a_title_shorter_than_any_run_is_its_own_peak() -> None:
    assert peak_bitrate_bps([1000], [1.0]) == 8001


def test_average_is_over_all_time() -> None:
    assert average_bitrate_bps([1000, 3000], [4.0, 4.0]) == 4001


@pytest.mark.parametrize(("durations", "target"), [([4.0, 4.004], 4), ([4.5], 5), ([0.2], 1)])
def test_target_duration_rounds(durations, target) -> None:
    assert target_duration_s(durations) == target
