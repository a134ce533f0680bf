"""The state of what is being played: its tracks and playlists, and how far loading has come."""

from __future__ import annotations

import math
from collections.abc import Sequence

from player_sdk.abr.interface import AbrState, linear_qualities
from player_sdk.buffer import PlaybackBuffer
from player_sdk.playlist.model import UNDECLARED_BITRATE_BPS, ByteRange, MediaPlaylist, Segment
from player_sdk.tracks import Selection, segment_sizes

_NOMINAL_SEGMENT_S = 4.0


class PlayingMedia:
    """What a session has chosen and loaded.

    Args:
        selection: The ladder and the audio track.

    Attributes:
        playlists: The media playlist of each rung, None until it is needed.
        rung: Of the last segment, -1 before the first.
        next_index, next_audio_index: What is loaded next.
        initialised: Init segments that are there.
    """

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.playlists: list[MediaPlaylist | None] = [track.media for track in selection.ladder]
        self.audio_playlist: MediaPlaylist | None = None
        self.buffer = PlaybackBuffer(position_s=0.0, end_s=0.0, stop_s=0.0)
        self.duration_s = 0.0
        self.rung = -1
        self.next_index = 0
        self.next_audio_index = 0
        self.initialised: set[tuple[str, ByteRange | None]] = set()
        self._bitrates_bps = tuple(track.bitrate_bps for track in selection.ladder)
        self._qualities = linear_qualities(self._bitrates_bps)
        self._sizes: Sequence[tuple[float, ...]] | None = None

    @property
    def reference(self) -> MediaPlaylist:
        """Any loaded playlist: all rungs are cut at the same places."""
        return next(playlist for playlist in self.playlists if playlist is not None)

    @property
    def all_loaded(self) -> bool:
        """Whether the last video segment is in the buffer."""
        return self.next_index >= len(self.reference.segments)

    def nearest_rung(self, rung: int) -> int:
        """A rung of the ladder."""
        return min(max(rung, 0), len(self.playlists) - 1)

    def start_at(self, start_s: float, watch_s: float) -> None:
        """Set the playhead and the places to load from; a start at or after the end starts over."""
        self.duration_s = self.reference.duration_s
        start_s = start_s if 0.0 <= start_s < self.duration_s - 1.0 else 0.0
        self.buffer = PlaybackBuffer(position_s=start_s, end_s=self.duration_s, stop_s=start_s + watch_s)
        self.next_index = self.reference.index_at(start_s)
        self.next_audio_index = self.audio_playlist.index_at(start_s) if self.audio_playlist else 0

    def set_playlist(self, rung: int, playlist: MediaPlaylist) -> None:
        """A rung's playlist has come; it may know sizes better than the bit rate did."""
        self.playlists[rung] = playlist
        self._sizes = None

    def finish_audio(self) -> None:
        """All audio is there: sound that ends before the picture must not stop it."""
        self.buffer.add_audio(math.inf)

    def finish(self) -> None:
        """All of it is loaded: a rung that ends a little before the first one ends the title."""
        self.duration_s = min(self.duration_s, self.buffer.end_at_loaded())

    def played_bitrate_bps(self, rung: int, segment: Segment, size_bytes: int) -> float:
        """The rung's declared bit rate, or the segment's own where none is declared."""
        declared_bps = self._bitrates_bps[rung]
        if declared_bps > UNDECLARED_BITRATE_BPS:
            return declared_bps
        return size_bytes * 8.0 / max(segment.duration_s, 1e-3)

    def opening_state(self, *, buffer_max_s: float, startup_bitrate_bps: float | None) -> AbrState:
        """What a policy sees before any playlist is loaded: the ladder, and one segment of a common length."""
        sizes = [tuple(bitrate_bps * _NOMINAL_SEGMENT_S / 8.0 for bitrate_bps in self._bitrates_bps)]
        return AbrState(
            segment_index=0,
            segment_count=1,
            segment_duration_s=_NOMINAL_SEGMENT_S,
            bitrates_bps=self._bitrates_bps,
            sizes_bytes=sizes,
            qualities=self._qualities,
            buffer_s=0.0,
            buffer_max_s=buffer_max_s,
            startup_bitrate_bps=startup_bitrate_bps,
        )

    def abr_state(self, *, buffer_max_s: float, startup_bitrate_bps: float | None) -> AbrState:
        """What a policy sees before the next segment."""
        if self._sizes is None:
            self._sizes = segment_sizes(self.selection.ladder, self.playlists)
        index = min(self.next_index, len(self._sizes) - 1)
        return AbrState(
            segment_index=index,
            segment_count=len(self._sizes),
            segment_duration_s=self.reference.segments[index].duration_s,
            bitrates_bps=self._bitrates_bps,
            sizes_bytes=self._sizes,
            qualities=self._qualities,
            buffer_s=self.buffer.ahead_s,
            buffer_max_s=buffer_max_s,
            last_rung=self.rung,
            startup_bitrate_bps=startup_bitrate_bps,
        )
