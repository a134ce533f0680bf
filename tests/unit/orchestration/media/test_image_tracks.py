"""What manifests say of a storyboard of two sheets, the second of them half empty."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from orchestration.media.image_tracks import (
    storyboard_playlist,
    storyboard_set,
    storyboard_stream_line,
    storyboard_track,
)
from orchestration.media.storyboard import MAX_TILES, Sheet, Storyboard, picture_interval_s

BOARD = Storyboard(
    tile_width=160,
    tile_height=90,
    columns=2,
    rows=2,
    interval_s=2.0,
    tiles=6,
    duration_s=11.5,
    sheets=[Sheet(name="storyboard-001.jpg", size_bytes=8000), Sheet(name="storyboard-002.jpg", size_bytes=6000)],
)


def test_every_moment_has_its_place_on_a_sheet():
    cues = re.findall(r"(\S+) --> (\S+)\n(\S+)", storyboard_track(BOARD))
    assert cues[1] == ("00:00:02.000", "00:00:04.000", "storyboard-001.jpg#xywh=160,0,160,90")
    assert cues[2][2] == "storyboard-001.jpg#xywh=0,90,160,90"
    assert cues[4][2] == "storyboard-002.jpg#xywh=0,0,160,90"
    assert cues[-1][1] == "00:00:11.500"
    assert [start for start, _, _ in cues[1:]] == [end for _, end, _ in cues[:-1]]


def test_the_hls_playlist_covers_the_film_and_says_how_tiles_lie():
    text = storyboard_playlist(BOARD)
    assert sum(float(found) for found in re.findall(r"#EXTINF:([0-9.]+)", text)) == pytest.approx(11.5)
    assert text.count("#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=2x2,DURATION=2") == 2
    assert "#EXT-X-IMAGES-ONLY" in text
    assert text.endswith("#EXT-X-ENDLIST\n")


def test_bandwidth_is_that_of_the_sheet_that_costs_most_a_second():
    costliest_bps = 6000 * 8 / 3.5
    declared = int(re.search(r"BANDWIDTH=(\d+)", storyboard_stream_line(BOARD))[1])
    assert costliest_bps <= declared <= costliest_bps + 1


def test_dash_describes_sheets_by_number_and_grid():
    (adaptation_set,) = ElementTree.fromstring(f"<Period>{''.join(storyboard_set(BOARD, set_id=7))}</Period>")
    template = adaptation_set.find("SegmentTemplate")
    assert int(template.get("duration")) / int(template.get("timescale")) == 8.0
    assert template.get("media") == "storyboard-$Number%03d$.jpg"
    representation = adaptation_set.find("Representation")
    assert (representation.get("width"), representation.get("height")) == ("320", "180")
    assert representation.find("EssentialProperty").get("value") == "2x2"


@pytest.mark.parametrize(("duration_s", "interval_s"), [(12, 2), (600, 2), (1440, 2), (1441, 4), (7200, 10)])
def test_long_films_have_pictures_farther_apart(duration_s, interval_s):
    assert picture_interval_s(duration_s, 2.0) == interval_s
    assert duration_s / interval_s <= MAX_TILES
