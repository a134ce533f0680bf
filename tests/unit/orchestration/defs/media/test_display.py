from __future__ import annotations

import pytest

from orchestration.defs.media.display import MOST_SHOWN, bullets, failures_table


@pytest.mark.parametrize(("more", "last"), [(0, "| t-49 | gone |"), (3, "| and 3 more |  |")])
def test_a_long_list_of_failures_says_how_much_of_it_is_left_out(more: int, last: str) -> None:
    failed = {f"t-{number}": "gone" for number in range(MOST_SHOWN + more)}
    assert failures_table(failed).value.splitlines()[-1] == last


@pytest.mark.parametrize(("more", "last"), [(0, "- t-49"), (3, "- and 3 more")])
def test_a_long_list_says_how_much_of_it_is_left_out(more: int, last: str) -> None:
    assert bullets([f"t-{number}" for number in range(MOST_SHOWN + more)]).value.splitlines()[-1] == last


def test_no_failures_are_told_as_none() -> None:
    assert failures_table({}).value == "none"
