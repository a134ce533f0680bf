import base64
import datetime as dt

import polars as pl

from orchestration.defs.ops.quality import newest_day_table, plot

DAILY = pl.DataFrame(
    [
        {"region_id": region, "sessions": 3, "startup_s_p50": 0.5, "rebuffer_ratio": None, "edge_hit_ratio": 0.91234,
         "event_day": dt.date(2026, 9, day)}
        for day in (1, 2)
        for region in ("ap-south", "eu-north")
    ],
    schema_overrides={"rebuffer_ratio": pl.Float64()},
)  # fmt: skip


def test_the_table_shows_the_newest_day_alone():
    lines = newest_day_table(DAILY).splitlines()

    assert lines[0] == "| region_id | sessions | startup_s_p50 | rebuffer_ratio | edge_hit_ratio |"
    assert lines[2:] == ["| ap-south | 3 | 0.5 | None | 0.9123 |", "| eu-north | 3 | 0.5 | None | 0.9123 |"]


def test_the_picture_is_a_png_with_and_without_days():
    for daily in (DAILY, DAILY.clear()):
        assert base64.b64decode(plot(daily)).startswith(b"\x89PNG")
