"""Which tracks of a title this viewer gets, and what their segments weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from player_sdk.errors import PlaylistError
from player_sdk.playlist.lazy import LazySequence
from player_sdk.playlist.model import MediaPlaylist, Presentation, Track, codec_family

DEVICE_MAX_HEIGHT = {"mobile": 720, "tablet": 1080, "desktop": 1080, "tv-hd": 1080, "tv-4k": 2160}
"""The tallest video worth sending to a kind of device; devices not named here have no cap."""

PLAYABLE_CODECS = ("avc1", "avc3", "mp4a", "opus", "flac", "ac-3", "ec-3", "hvc1", "hev1", "vp09", "av01", "vp9", "vp8")

_LOW_ENOUGH = 1.5
"""Times the lowest bit rate of all: a codec whose own lowest is above that stalls on lines where another would not."""


@dataclass(frozen=True, kw_only=True)
class Display:
    """The area that shows the video, in its own pixels; ``pixel_ratio`` physical ones stand in each."""

    width: int
    height: int
    pixel_ratio: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a viewer gets.

    Attributes:
        ladder: The rungs to adapt on, lowest bit rate first.
        audio: The sound to begin with; None where it is in the picture's segments, or there is none.
        captions: The captions to begin with.
        audio_tracks, caption_tracks: What there is to choose from beside these rungs.
    """

    ladder: tuple[Track, ...]
    audio: Track | None = None
    captions: Track | None = None
    audio_tracks: tuple[Track, ...] = ()
    caption_tracks: tuple[Track, ...] = ()


def select_tracks(
    presentation: Presentation,
    *,
    device: str,
    max_height: int | None = None,
    display: Display | None = None,
    codecs: Sequence[str] = PLAYABLE_CODECS,
    mixed_codecs: bool = False,
    language: str | None = None,
    captions: str | None = None,
) -> Selection:
    """Leave out what the device cannot show or decode; the smallest rung stays when all are too tall.

    Of a display, the smallest rung that fills it is the largest that is kept. Of rungs in several codecs, those in one
    are kept unless they may be mixed: no decoder goes on from one to another, and bit rates do not compare. It is the
    most efficient one that goes as low as the others, by ``VIDEO_CODECS``.

    Raises:
        PlaylistError: No video track has codecs that can be played.
    """
    decodable = [track for track in presentation.video if _decodable(track, codecs)]
    if not decodable:
        known = sorted({codec for track in presentation.video for codec in track.codecs})
        raise PlaylistError(f"no video track with playable codecs; the manifest offers {known}")
    caps = [cap for cap in (max_height, DEVICE_MAX_HEIGHT.get(device)) if cap is not None]
    cap = min(caps) if caps else None
    fitting = [track for track in decodable if cap is None or short_side(track) <= cap]
    fitting = fitting or decodable[:1]
    ladder = tuple(_filling(fitting if mixed_codecs else _of_one_codec(fitting), display))
    groups = {track.audio_group for track in ladder}
    audio_tracks = tuple(one for one in presentation.audio if groups == {None} or one.audio_group in groups)
    groups = {track.text_group for track in ladder}
    caption_tracks = tuple(one for one in presentation.text if groups == {None} or one.text_group in groups)
    default = next((track for track in audio_tracks if track.default), audio_tracks[0] if audio_tracks else None)
    return Selection(
        ladder=ladder,
        audio=next((track for track in audio_tracks if track.language == language), default),
        captions=next((track for track in caption_tracks if track.language == captions), None),
        audio_tracks=audio_tracks,
        caption_tracks=caption_tracks,
    )


def segment_sizes(
    ladder: Sequence[Track],
    loaded: Sequence[MediaPlaylist | None],
    reference: MediaPlaylist,
    count: int,
    audio_bps: float = 0.0,
) -> Sequence[tuple[float, ...]]:
    """Bytes of every segment at every rung, with its sound: as the manifests tell, else bit rate times duration.

    Args:
        ladder: The rungs.
        loaded: Their media playlists, None for those not fetched yet.
        reference: One of those, by which segments are counted.
        count: How many to tell; those that are not there yet are taken to be as the last one that is.
        audio_bps: Of the sound beside the picture, which bit rates of HLS hold already.
    """
    last = len(reference.segments) - 1

    def row(index: int) -> tuple[float, ...]:
        segment = reference.segments[min(index, last)]
        sizes = []
        for track, playlist in zip(ladder, loaded, strict=True):
            same = playlist.segment(segment.number) if playlist else None
            known = same.size_bytes if same is not None else None
            declared = same.part_of or track if same is not None else track
            beside_bytes = 0.0 if known is None and track.audio_group else audio_bps * segment.duration_s / 8.0
            size_bytes = known if known is not None else declared.bitrate_bps * segment.duration_s / 8.0
            sizes.append(size_bytes + beside_bytes)
        return tuple(sizes)

    return LazySequence(count, row)


def short_side(track: Track) -> int:
    """A portrait video of 1080x1920 is a 1080p one."""
    return min(track.width, track.height) if track.width and track.height else track.height


def _decodable(track: Track, codecs: Sequence[str]) -> bool:
    return all(codec.lower().startswith(tuple(codecs)) for codec in track.codecs)


def _of_one_codec(ladder: Sequence[Track]) -> Sequence[Track]:
    """The rungs of the most efficient codec that has one for slow lines too."""
    least_bps = min(track.bitrate_bps for track in ladder)
    best = min(codec_family(track) for track in ladder if track.bitrate_bps <= _LOW_ENOUGH * least_bps)
    return [track for track in ladder if codec_family(track) == best]


def _filling(ladder: Sequence[Track], display: Display | None) -> Sequence[Track]:
    """The rungs up to the first size that fills the display."""
    if display is None:
        return ladder
    wanted = sorted((display.width * display.pixel_ratio, display.height * display.pixel_ratio))
    filling = [
        short_side(track)
        for track in ladder
        if track.width and min(track.width, track.height) >= wanted[0] and max(track.width, track.height) >= wanted[1]
    ]
    return ladder if not filling else [track for track in ladder if short_side(track) <= min(filling)]
