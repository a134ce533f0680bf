"""Whatever happens to a master's bytes on the way, the probe gives a verdict that makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.media.probe import MAX_MISSING_S, probe_file
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg

FILM_S = 2.0
LONGEST_S = FILM_S + 0.5
"""What is there may be presented a little later than it was, and never for long."""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """Small films by the ending of their names."""
    folder = tmp_path_factory.mktemp("films")
    made = {}
    for ending in ("mp4", "mkv"):
        path = folder / f"film.{ending}"
        command = [
            find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s=64x48:r=10:d={FILM_S}", "-f", "lavfi", "-i",
            f"sine=d={FILM_S}", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", str(path),
        ]  # fmt: skip
        run_program(command, timeout_s=60)
        made[ending] = path.read_bytes()
    return made


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ending=st.sampled_from(["mp4", "mkv"]),
    kept=st.floats(min_value=0, max_value=1),
    flipped=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=8),
)
def test_a_damaged_file_is_played_or_refused_with_a_reason(
    films: Mapping[str, bytes], tmp_path: Path, ending: str, kept: float, flipped: list[tuple[float, int]]
) -> None:
    content = bytearray(films[ending][: round(kept * len(films[ending]))])
    for place, bits in flipped if content else []:
        content[int(place * len(content))] ^= bits
    path = tmp_path / f"film.{ending}"
    path.write_bytes(content)
    report = probe_file(path)
    assert report.playable == (not report.reasons)
    assert bool(report.reasons) == bool(report.hints)
    if report.playable:
        assert report.decoded_duration_s <= LONGEST_S or report.warnings
        if not flipped:
            assert report.decoded_duration_s >= FILM_S - MAX_MISSING_S
