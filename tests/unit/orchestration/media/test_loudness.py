from __future__ import annotations

import pytest

from orchestration.media.loudness import (
    MAX_GAIN_DB,
    PEAK_LIMIT_DBTP,
    DeliveredLoudness,
    Gain,
    Loudness,
    correct_gain,
    loudness_warning,
    plan_gain,
)


def test_a_gain_is_the_difference_and_bounded() -> None:
    assert plan_gain(Loudness(integrated_lufs=-30.0, true_peak_dbtp=-12.0), -23.0) == Gain(gain_db=7.0, limited=False)
    assert plan_gain(Loudness(integrated_lufs=-30.0, true_peak_dbtp=-7.0), -23.0).limited
    assert plan_gain(Loudness(integrated_lufs=-57.0, true_peak_dbtp=-40.0), -10.0).gain_db == MAX_GAIN_DB
    assert plan_gain(Loudness(integrated_lufs=-65.0, true_peak_dbtp=-60.0), -23.0) == Gain()
    assert plan_gain(Loudness(integrated_lufs=None, true_peak_dbtp=-90.0), -23.0) == Gain()


def test_a_limiter_that_took_loudness_away_is_fed_more() -> None:
    before = Loudness(integrated_lufs=-30.0, true_peak_dbtp=-7.0)
    limited = Gain(gain_db=7.0, limited=True)
    gain = correct_gain(limited, before, Loudness(integrated_lufs=-24.0, true_peak_dbtp=-1.5), -23.0)
    assert gain == Gain(gain_db=8.0, limited=True)
    assert PEAK_LIMIT_DBTP < -1
    settled = correct_gain(gain, before, Loudness(integrated_lufs=-23.05, true_peak_dbtp=-1.5), -23.0)
    assert settled == gain


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, None),
        ({"measured_lufs": None, "delivered_lufs": None, "true_peak_dbtp": None}, None),
        ({"delivered_lufs": -24.0}, "-24.0 LUFS instead of -23.0, with a gain of 7.0 dB"),
        ({"true_peak_dbtp": -0.5}, "its true peak is -0.5 dBTP"),
        ({"measured_lufs": -62.0, "delivered_lufs": -62.0, "gain_db": 0.0}, "noise floor"),
    ],
)
def test_what_misses_the_loudness_is_told(known: dict, said: str | None) -> None:
    delivered = DeliveredLoudness(
        **{"rendition_id": "r", "rung": "audio-en", "measured_lufs": -30.0, "gain_db": 7.0, "limited": False,
           "delivered_lufs": -23.1, "true_peak_dbtp": -4.0, **known}
    )  # fmt: skip
    warning = loudness_warning(delivered, -23.0)
    assert (warning is None) == (said is None)
    assert said is None or said in (warning or "")
