from pathlib import Path

import pytest

from orchestration.media.errors import EncodeTruncated
from orchestration.media.truncation import require_length

FILM = Path("film.mp4")


@pytest.mark.parametrize(("encoded_s", "expected_s"), [(4.76, 5.0), (5.3, 5.0), (98.1, 100.0)])
def test_a_quarter_of_a_second_or_a_fiftieth_may_be_missing(encoded_s, expected_s):
    require_length(encoded_s, expected_s, "720p", FILM)


@pytest.mark.parametrize(("encoded_s", "expected_s"), [(4.7, 5.0), (97.9, 100.0), (0.0, 1.0)])
def test_more_is_an_encode_that_ended_early(encoded_s, expected_s):
    with pytest.raises(EncodeTruncated, match=rf"film.mp4: rung 720p holds {encoded_s:.2f} s of {expected_s:.2f} s"):
        require_length(encoded_s, expected_s, "720p", FILM)
