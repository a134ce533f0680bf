"""What manifests say of a storyboard: a WebVTT track, an HLS image playlist and a DASH AdaptationSet. Pure.

WebVTT with media fragments (``#xywh``) is what most web players read; ``EXT-X-IMAGE-STREAM-INF`` is Roku's extension of
HLS, which others ignore; the AdaptationSet follows DASH-IF IOP, 6.2.6 (``thumbnail_tile``).
"""

from __future__ import annotations

from orchestration.media.cmaf import target_duration_s
from orchestration.media.storyboard import Storyboard
from orchestration.media.webvtt import Cue, write_webvtt

STORYBOARD_TRACK_NAME = "storyboard.vtt"
STORYBOARD_PLAYLIST_NAME = "storyboard.m3u8"
STORYBOARD_FILES = (STORYBOARD_TRACK_NAME, STORYBOARD_PLAYLIST_NAME)
"""Found by their names, as posters are, and not by every player: an edge may hold a title without them."""
STORYBOARD_RUNG = "storyboard"


def storyboard_track(storyboard: Storyboard) -> str:
    """WebVTT: one cue a picture, with the place of the picture on its sheet."""
    width, height = storyboard.tile_width, storyboard.tile_height
    cues = []
    for tile in range(storyboard.tiles):
        sheet, place = divmod(tile, storyboard.tiles_per_sheet)
        row, column = divmod(place, storyboard.columns)
        text = f"{storyboard.sheets[sheet].name}#xywh={column * width},{row * height},{width},{height}"
        cues.append(Cue(start_s=storyboard.tile_start_s(tile), end_s=storyboard.tile_end_s(tile), text=text))
    return write_webvtt(cues)


def storyboard_stream_line(storyboard: Storyboard) -> str:
    """The line of a master playlist."""
    return (
        f'#EXT-X-IMAGE-STREAM-INF:BANDWIDTH={_peak_bps(storyboard)},CODECS="jpeg",'
        f'RESOLUTION={storyboard.tile_width}x{storyboard.tile_height},URI="{STORYBOARD_PLAYLIST_NAME}"'
    )


def storyboard_playlist(storyboard: Storyboard) -> str:
    """The image playlist: one segment a sheet."""
    durations_s = [_sheet_duration_s(storyboard, number) for number in range(len(storyboard.sheets))]
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{target_duration_s(durations_s)}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-IMAGES-ONLY",
    ]
    tiles = (
        f"#EXT-X-TILES:RESOLUTION={storyboard.tile_width}x{storyboard.tile_height},"
        f"LAYOUT={storyboard.columns}x{storyboard.rows},DURATION={storyboard.interval_s:g}"
    )
    for sheet, duration_s in zip(storyboard.sheets, durations_s, strict=True):
        lines += [f"#EXTINF:{duration_s:.6f},", tiles, sheet.name]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def storyboard_set(storyboard: Storyboard, *, set_id: int) -> list[str]:
    """The AdaptationSet of a DASH manifest."""
    timescale = 1000
    duration = round(storyboard.sheet_duration_s * timescale)
    return [
        f'    <AdaptationSet id="{set_id}" contentType="image" mimeType="image/jpeg">',
        f'      <SegmentTemplate timescale="{timescale}" duration="{duration}" startNumber="1"'
        ' media="storyboard-$Number%03d$.jpg"/>',
        f'      <Representation id="{STORYBOARD_RUNG}" bandwidth="{_peak_bps(storyboard)}"'
        f' width="{storyboard.columns * storyboard.tile_width}" height="{storyboard.rows * storyboard.tile_height}">',
        '        <EssentialProperty schemeIdUri="http://dashif.org/guidelines/thumbnail_tile"'
        f' value="{storyboard.columns}x{storyboard.rows}"/>',
        "      </Representation>",
        "    </AdaptationSet>",
    ]


def _sheet_duration_s(storyboard: Storyboard, number: int) -> float:
    return min(storyboard.sheet_duration_s, storyboard.duration_s - number * storyboard.sheet_duration_s)


def _peak_bps(storyboard: Storyboard) -> int:
    rates = (
        sheet.size_bytes * 8 / _sheet_duration_s(storyboard, number) for number, sheet in enumerate(storyboard.sheets)
    )
    return int(max(rates)) + 1
