"""How sessions fall on the blocks of ladders, whatever their rungs are called."""

import numpy as np
import polars as pl
import pytest

from ml.placement.catalogue import read_blocks, rung_shares
from ml.placement.errors import PlacementInputError


def blocks(*rungs: str):
    return read_blocks(
        pl.DataFrame(
            [
                {"title_id": "film", "package_id": "p", "rung": rung, "segment_group": group, "size_bytes": 10}
                for rung in rungs
                for group in range(2)
            ]
        )
    )


def share_of(ladder, mix):
    made = blocks(*ladder)
    shares = rung_shares(made, mix)
    return {rung: shares[index] for index, rung in enumerate(made.frame["rung"])}


def test_two_rungs_of_one_height_share_what_is_asked_of_it():
    shares = share_of(["720p", "360p", "360p-2", "360p-vp9"], {"720p": 0.4, "360p": 0.3, "360p-2": 0.3})
    assert shares["720p"] == pytest.approx(0.4)
    assert [shares[rung] for rung in ("360p", "360p-2", "360p-vp9")] == pytest.approx([0.2] * 3)


def test_without_a_mix_heights_are_equal():
    shares = share_of(["720p", "360p", "360p-2", "manifest"], {})
    assert (shares["720p"], shares["360p"], shares["360p-2"], shares["manifest"]) == (0.5, 0.25, 0.25, 1.0)


def test_every_session_falls_on_one_video_rung():
    made = blocks("1080p", "720p-2", "720p", "240p-early")
    shares = rung_shares(made, {"2160p": 1.0, "480p": 2.0, "144p": 1.0})
    assert shares[made.group == 0].sum() == pytest.approx(1.0)
    assert np.all(shares >= 0.0)


def test_an_unknown_rung_is_refused():
    with pytest.raises(PlacementInputError, match="'best'"):
        blocks("best")
