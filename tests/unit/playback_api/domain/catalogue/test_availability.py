import datetime as dt

import msgspec
import pytest

from playback_api.domain.catalogue.availability import is_licensed, is_suitable
from playback_api.snapshot.testing import make_title

DAY = dt.date(2026, 10, 1)


@pytest.mark.parametrize(
    ("start", "end", "licensed"),
    [
        (None, None, True),
        (DAY, None, True),
        (None, DAY, True),
        (DAY, DAY, True),
        (DAY + dt.timedelta(days=1), None, False),
        (None, DAY - dt.timedelta(days=1), False),
    ],
)
def test_both_ends_of_the_window_count(start, end, licensed):
    title = msgspec.structs.replace(make_title(1), licence_start=start, licence_end=end)
    assert is_licensed(title, DAY) is licensed


def test_an_age_is_allowed_what_is_rated_for_it():
    title = msgspec.structs.replace(make_title(1), maturity_age=12)
    assert is_suitable(title, None)
    assert is_suitable(title, 12)
    assert not is_suitable(title, 11)
