import datetime as dt

import pytest

from orchestration.defs.warehouse.late_days import late_range

TODAY = dt.date(2026, 9, 20)
FIRST = dt.date(2026, 9, 1)


@pytest.mark.parametrize(
    ("event_days", "expected"),
    [
        ([], None),
        (["2026-09-19", "2026-09-20"], None),
        (["2026-09-03", "2026-09-10", "2026-09-20"], (dt.date(2026, 9, 3), dt.date(2026, 9, 10))),
        (["2026-08-31", "2026-09-18"], (dt.date(2026, 9, 18), dt.date(2026, 9, 18))),
    ],
    ids=["nothing came", "the schedule builds them", "late days", "before the first day"],
)
def test_late_range(event_days, expected):
    assert late_range(event_days, TODAY, FIRST) == expected
