"""Bring a master's picture into the form that encoders and quality measurement both start from.

ffmpeg-python only builds the graph here. What is measured must be what was encoded, so both take it from this module.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from orchestration.media.report import ProbeReport, VideoTrack

SCALER = "lanczos"
"""What rungs are made with: it keeps more detail than bicubic, and repeated down a cascade it loses none. Without
``accurate_rnd`` and ``bitexact``, which keep ffmpeg from its fast paths and change no picture visibly: the same machine
gives the same bytes all the same, whatever the number of threads and wherever a chunk starts."""
UPSCALER = "bicubic"
"""How a player is taken to enlarge a rung to its screen: as VMAF's makers did for their viewers."""
HD_COLOURS, SD_COLOURS = "bt709", "smpte170m"
"""What an untagged picture is taken to have, as mpv does (ITU-R BT.709, and BT.601 in its 525 lines)."""


def prepared_picture(
    source: Any, report: ProbeReport, rate: Fraction, duration_s: float, start: int = 0, end: int | None = None
) -> Any:
    """Upright (ffmpeg turns by itself), progressive, at a constant rate from zero on, as long as the film.

    ``start`` and ``end`` choose pictures of the result. A ``source`` that was sought must begin before ``start`` and
    keep the film's own timestamps; then every picture is the one that the whole film has in that place.
    """
    video = report.video
    picture = progressive_picture(source, video)
    # A film that starts late is filled from zero on. After a seek nothing is to be filled, and without a start the
    # filter still counts from the film's zero.
    picture = picture.filter("fps", fps=str(rate), **({} if start else {"start_time": 0}))
    if start > 0 or end is not None:
        cut = {"start_pts": start} if end is None else {"start_pts": start, "end_pts": end}
        picture = picture.filter("trim", **cut).filter("setpts", f"PTS-{start}")
    missing_s = duration_s - (video.start_s + video.duration_s)
    if end is None and missing_s > float(1 / rate):
        picture = picture.filter("tpad", stop_mode="clone", stop_duration=f"{missing_s:.6f}")
    return picture


def progressive_picture(source: Any, video: VideoTrack) -> Any:
    """The picture track that is shown, a picture per field where it is interlaced."""
    picture = source[str(video.index)]
    return picture.filter("bwdif", mode="send_field") if video.interlaced else picture


def scaled(picture: Any, width: int, height: int, scaler: str = SCALER) -> Any:
    """Another size, with square pixels."""
    return picture.filter("scale", width, height, flags=scaler).filter("setsar", 1)


def in_eight_bits(picture: Any, video: VideoTrack) -> Any:
    """8-bit 4:2:0 with tagged colours; HDR is mapped to BT.709 with Hable's curve, at a peak of 100 nits.

    Players guess the colours of an untagged picture by its size, so the rungs of one master would differ. Its own size
    decides for all of them.
    """
    if video.transfer != "sdr":
        return _mapped_to_sdr(picture)
    if video.colours == "rgb":
        return _tagged(picture.filter("scale", out_color_matrix=HD_COLOURS, out_range="tv"), HD_COLOURS)
    if video.colours == "untagged":
        return _tagged(picture, HD_COLOURS if _is_hd(video) else SD_COLOURS)
    return picture.filter("format", "yuv420p")


def _mapped_to_sdr(picture: Any) -> Any:
    linear = picture.filter("zscale", t="linear", npl=100).filter("format", "gbrpf32le").filter("zscale", p="bt709")
    mapped = linear.filter("tonemap", tonemap="hable", desat=0)
    return mapped.filter("zscale", t="bt709", m="bt709", r="tv").filter("format", "yuv420p")


def _tagged(picture: Any, colours: str) -> Any:
    tags = {"colorspace": colours, "color_primaries": colours, "color_trc": colours}
    return picture.filter("format", "yuv420p").filter("setparams", **tags)


def _is_hd(video: VideoTrack) -> bool:
    """By the larger of the two standard-definition pictures, 720x576."""
    long_side, short_side = max(video.width, video.height), min(video.width, video.height)
    return long_side >= 1280 or short_side > 576


def in_jpeg_colours(picture: Any) -> Any:
    """What a JPEG file holds without saying so: BT.601's matrix in full range (ITU-T T.871, 7), 4:2:0."""
    return picture.filter("scale", out_color_matrix="bt601", out_range="pc").filter("format", "yuvj420p")
