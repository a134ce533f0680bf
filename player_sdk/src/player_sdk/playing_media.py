"""The state of what is being played: its tracks and playlists, and how far loading has come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from player_sdk.abr.interface import AbrState, QualityWeights, linear_qualities
from player_sdk.buffer import PlaybackBuffer
from player_sdk.playlist.live import beside, on_clock_of
from player_sdk.playlist.model import InitSegment, MediaPlaylist, Segment, Track, TrackKind, most_like
from player_sdk.recent_contents import RecentContents
from player_sdk.tracks import Selection, segment_sizes

_NOMINAL_SEGMENT_S = 4.0
_HOLD_BACK_SEGMENTS = 3
"""How far from the end of a live playlist to play where it does not say (RFC 8216, 6.3.3)."""

_EXPECTED_SEGMENTS = 60
"""How many more of a live title a policy may plan for."""

_KEPT_AUDIO_S = 1.0
"""How much of the old sound plays on while the new one is loaded."""

_KEPT_INITS = 64
"""Those of all rungs, sounds and captions that a viewer changes between, however often they are encoded anew."""

_LAST_S = 1.0
"""Less than this of a title is not worth starting."""


@dataclass(kw_only=True)
class TrackBeside:
    """Sound or captions that go with the picture.

    Attributes:
        playlist: On the timeline of the picture; it is cut elsewhere, so its numbers are its own.
        next_index: The number of the segment that is loaded next.
        end_s: How far it is loaded.
        loaded_s, loaded_bytes: What has come of it so far.
    """

    track: Track
    playlist: MediaPlaylist
    next_index: int = 0
    end_s: float = 0.0
    loaded_s: float = 0.0
    loaded_bytes: int = 0

    @property
    def bitrate_bps(self) -> float:
        """Of what has come, or else as declared, which not all manifests do."""
        return 8.0 * self.loaded_bytes / self.loaded_s if self.loaded_s > 0.0 else self.track.bitrate_bps

    def load_from(self, start_s: float) -> None:
        """Set the place to load from."""
        self.next_index = self.playlist.number_at(start_s)
        self.end_s = start_s

    @property
    def all_loaded(self) -> bool:
        """Whether nothing more will come of it."""
        return self.playlist.ended and self.next_index >= self.playlist.end_number


class PlayingMedia:
    """What a session has chosen and loaded.

    Args:
        selection: The ladder and what there is beside it.

    Attributes:
        playlists: The media playlist of each rung, None until it is needed.
        rung: Of the last segment, -1 before the first.
        track: What that segment is, None before the first; in another period of DASH not what the ladder says.
        duration_s: Of the title; 0 while it is live.
        next_index: The number of the video segment that is loaded next.
        beside: The sound and the captions that play, by kind.
        init_contents: The init segments that are there, in the clear, those of the last segments among them.
    """

    def __init__(self, selection: Selection) -> None:
        self._set_ladder(selection, [_known_playlist(track) for track in selection.ladder])
        self.beside: dict[TrackKind, TrackBeside] = {}
        self.buffer = PlaybackBuffer(position_s=0.0, end_s=0.0, stop_s=0.0)
        self.duration_s = 0.0
        self.rung = -1
        self.track: Track | None = None
        self.next_index = 0
        self.init_contents: RecentContents[InitSegment] = RecentContents(_KEPT_INITS)

    def _set_ladder(self, selection: Selection, playlists: list[MediaPlaylist | None]) -> None:
        self.selection = selection
        self.playlists = playlists
        self._bitrates_bps = tuple(track.bitrate_bps for track in selection.ladder)
        self._qualities = linear_qualities(self._bitrates_bps)
        self._sizes: tuple[MediaPlaylist, float, Sequence[tuple[float, ...]]] | None = None

    def change_ladder(self, selection: Selection) -> None:
        """Go on in what a later version of the manifest offers, at the rung that is most like the one in use.

        Where the ladder is the same, nothing changes; nor where its playlists, which tell by their segments where they
        are, have none yet or did not come with the manifest.
        """
        ladder, used = selection.ladder, self.selection.ladder[self.used_rung]
        if _described(ladder) == _described(self.selection.ladder):
            return
        known = [one for track in ladder if (one := _known_playlist(track)) is not None and one.segments]
        if len(known) < len(ladder):
            return
        reference = self.reference
        self._set_ladder(selection, [beside(reference, one) for one in known])
        if self.rung >= 0:
            like = most_like(used, ladder)
            self.rung = next(rung for rung, track in enumerate(ladder) if track is like)

    @property
    def reference(self) -> MediaPlaylist:
        """The playlist of the rung in use, or else any loaded one: all rungs are cut at the same places."""
        return self.playlist(self.used_rung)

    @property
    def used_rung(self) -> int:
        """The rung in use, or else any whose playlist is loaded."""
        loaded = [rung for rung, playlist in enumerate(self.playlists) if playlist is not None]
        return self.rung if self.rung in loaded else loaded[0]

    def playlist(self, rung: int) -> MediaPlaylist:
        """The playlist of a rung, which must have been loaded."""
        playlist = self.playlists[rung]
        if playlist is None:
            raise ValueError(f"the playlist of rung {rung} is not loaded")
        return playlist

    @property
    def live(self) -> bool:
        """Whether more is to come."""
        return not self.reference.ended

    @property
    def all_loaded(self) -> bool:
        """Whether the last video segment that is there is in the buffer."""
        return self.next_index >= self.reference.end_number

    @property
    def complete(self) -> bool:
        """Whether the playhead is where the title ends."""
        return not self.live and self.buffer.position_s >= self.duration_s - 1e-3

    def nearest_rung(self, rung: int) -> int:
        """A rung of the ladder."""
        return min(max(rung, 0), len(self.playlists) - 1)

    def start_at(self, start_s: float, watch_s: float) -> None:
        """Set the playhead and the places to load from.

        A start at or after the end starts over. A live title starts behind its end, unless the start that is wanted is
        still there; an event, of which nothing is taken away, starts where it is wanted to.
        """
        reference, begins_s = self.reference, self._begins_s
        if reference.ended:
            start_s = start_s if begins_s <= start_s < reference.duration_s - _LAST_S else begins_s
        elif not (reference.event or begins_s < start_s) or start_s >= reference.duration_s:
            start_s = self._latest_start_s
        self._load_from(start_s, watch_s)

    def go_to(self, position_s: float, watch_s: float) -> None:
        """Set them anew, as near to a position as it can be played: not in the last second, nor at the live end."""
        self._load_from(max(self._begins_s, min(position_s, self._latest_start_s)), watch_s)

    def empty_buffer(self) -> None:
        """What is loaded is not wanted any more; nothing plays until the playhead is set anew."""
        self._load_from(self.buffer.position_s, math.inf)

    @property
    def _begins_s(self) -> float:
        return self.reference.segments[0].start_s if self.reference.segments else 0.0

    @property
    def _latest_start_s(self) -> float:
        """Where the last second begins; of a live title, the place behind its end where it is to be played."""
        reference = self.reference
        if reference.ended:
            return reference.duration_s - _LAST_S
        hold_back_s = reference.hold_back_s or _HOLD_BACK_SEGMENTS * reference.target_duration_s
        return reference.segment_start_s(max(self._begins_s, reference.duration_s - hold_back_s))

    def _load_from(self, start_s: float, watch_s: float) -> None:
        end_s = self.reference.duration_s if self.reference.ended else math.inf
        if self.reference.ended:
            self.duration_s = end_s
        self.buffer = PlaybackBuffer(position_s=start_s, end_s=end_s, stop_s=start_s + watch_s)
        self.next_index = self.reference.number_at(start_s)
        for track in self.beside.values():
            track.load_from(start_s)

    def set_playlist(self, rung: int, playlist: MediaPlaylist) -> None:
        """A rung's playlist has come; it may know sizes better than the bit rate did.

        One that is not in use is brought in line with the one that is, and not with what was once read of itself: a
        live window may have moved on too far since then to tell by its own numbers where it is now.
        """
        if any(one is not None for one in self.playlists) and rung != self.used_rung:
            playlist = beside(self.reference, playlist)
        self.playlists[rung] = playlist
        self._sizes = None

    def put_beside(self, kind: TrackKind, track: Track | None, playlist: MediaPlaylist | None) -> None:
        """Play other sound or captions from here on, or none; their playlist has come after one of the picture."""
        start_s = self.buffer.drop_audio(_KEPT_AUDIO_S) if kind == "audio" else self.buffer.position_s
        self.beside.pop(kind, None)
        if track is not None and playlist is not None:
            self.beside[kind] = TrackBeside(track=track, playlist=on_clock_of(self.reference, playlist))
            self.beside[kind].load_from(start_s)

    def set_beside_playlist(self, beside: TrackBeside, playlist: MediaPlaylist) -> None:
        """The next reading of a live playlist has come."""
        beside.playlist = on_clock_of(self.reference, playlist)

    def next_video(self, rung: int) -> Segment | None:
        """The segment of a rung that is loaded next; what a live one has left behind, and gaps, are passed over."""
        playlist = self.playlist(rung)
        if not playlist.ended:
            self.next_index = max(self.next_index, playlist.first_number)
        segment = playlist.segment(self.next_index)
        while segment is not None and segment.gap:
            self.next_index += 1
            segment = playlist.segment(self.next_index)
        return segment

    def next_beside(self, beside: TrackBeside) -> Segment | None:
        """The same for sound and captions: where they have a gap, there is silence."""
        playlist = beside.playlist
        if not playlist.ended:
            beside.next_index = max(beside.next_index, playlist.first_number)
        segment = playlist.segment(beside.next_index)
        while segment is not None and segment.gap:
            self.add_beside(beside, segment.end_s)
            segment = playlist.segment(beside.next_index)
        return segment

    def add_beside(self, beside: TrackBeside, end_s: float, size_bytes: int = 0) -> None:
        """The next segment is here, or known to be missing."""
        if size_bytes:
            beside.loaded_s += max(0.0, end_s - beside.end_s)
            beside.loaded_bytes += size_bytes
        beside.next_index += 1
        beside.end_s = end_s
        if beside.track.kind == "audio":
            self.buffer.add_audio(end_s, size_bytes)

    def finish_beside(self, beside: TrackBeside) -> None:
        """All of it is here: sound that ends before the picture must not stop it."""
        beside.end_s = math.inf
        if beside.track.kind == "audio":
            self.buffer.add_audio(math.inf)

    def init_content(self, segment: Segment) -> bytes:
        """What goes before a segment of which the init segment was loaded; empty where it has none."""
        if segment.init is None:
            return b""
        content = self.init_contents.get(segment.init)
        if content is None:
            raise ValueError(f"the init segment {segment.init.uri} is not loaded")
        return content

    def finish(self) -> None:
        """All of it is loaded: a rung that ends a little before the first one ends the title."""
        self.duration_s = min(self.reference.duration_s, self.buffer.end_at_loaded())

    def track_of(self, rung: int, segment: Segment) -> Track:
        """What a segment of a rung is: as its own period says, else as the ladder does."""
        return segment.part_of or self.selection.ladder[rung]

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
        """What a policy sees before the next segment.

        To a live title it goes on for ever, and there is never more ahead of the playhead than the server has.
        """
        reference, audio = self.reference, self.beside.get("audio")
        # To 10 kbit/s: what was measured changes a little with each segment, and the sizes hold as long as it does not.
        audio_bps = round(audio.bitrate_bps, -4) if audio is not None else 0.0
        if self._sizes is None or self._sizes[0] is not reference or self._sizes[1] != audio_bps:
            count = len(reference.segments) + (0 if reference.ended else _EXPECTED_SEGMENTS)
            sizes = segment_sizes(self.selection.ladder, self.playlists, reference, count, audio_bps)
            self._sizes = reference, audio_bps, sizes
        sizes_bytes = self._sizes[2]
        index = max(0, min(self.next_index - reference.first_number, len(sizes_bytes) - 1))
        if not reference.ended:
            newest = reference.segments[-1]
            buffer_max_s = min(buffer_max_s, max(newest.start_s - self.buffer.position_s, newest.duration_s))
        duration_s = reference.segments[min(index, len(reference.segments) - 1)].duration_s
        return AbrState(
            segment_index=index,
            segment_count=len(sizes_bytes),
            segment_duration_s=duration_s,
            bitrates_bps=self._bitrates_bps,
            sizes_bytes=sizes_bytes,
            qualities=self._qualities,
            buffer_s=self.buffer.ahead_s,
            buffer_max_s=buffer_max_s,
            last_rung=self.rung,
            startup_bitrate_bps=startup_bitrate_bps,
            weights=QualityWeights().for_segments_of(duration_s),
        )


def _known_playlist(track: Track) -> MediaPlaylist | None:
    """The playlist that came with the manifest, if nothing more must be fetched to know its segments."""
    return track.media if track.media is not None and track.media.first_unindexed is None else None


def _described(ladder: Sequence[Track]) -> list[Track]:
    return [replace(track, media=None) for track in ladder]
