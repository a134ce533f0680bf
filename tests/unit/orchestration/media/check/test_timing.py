import pytest

from orchestration.media.check.timing import same_cuts


@pytest.mark.parametrize(
    ("other", "same"),
    [([0.0, 4.0, 8.0], True), ([0.0, 4.0005, 8.0], True), ([0.0, 4.002, 8.0], False), ([0.0, 4.0], False), ([], False)],
)
def test_renditions_are_cut_alike_to_the_millisecond(other, same):
    assert same_cuts([0.0, 4.0, 8.0], other) is same
