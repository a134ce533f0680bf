"""How the readings of a live playlist, and the playlists of its rungs, go on from each other."""

from __future__ import annotations

from dataclasses import replace

from player_sdk.errors import PlaylistError
from player_sdk.playlist.lazy import LazySequence
from player_sdk.playlist.model import MediaPlaylist, Segment


def reread(old: MediaPlaylist, new: MediaPlaylist) -> MediaPlaylist:
    """The next reading of a live playlist, on the timeline of the one before; one without segments adds nothing to it.

    Of HLS, a server that lags (another edge, another cache) may answer with an older state: the newer one is kept.

    Raises:
        PlaylistError: The media sequence of HLS began anew, which the standard does not allow.
    """
    if not new.segments:
        return old
    if new.timed:
        return at_its_time(old, new)
    new = _shifted(new, number=old.renumbered_by)
    if new.end_number < old.first_number:
        raise PlaylistError(f"the media sequence went back from {old.first_number} to {new.first_number}")
    if new.end_number < old.end_number:
        return old
    if not old.segments:
        return new
    return _shifted(new, start_s=_start_shift_s(old, new, same_numbers=True))


def beside(reference: MediaPlaylist, new: MediaPlaylist) -> MediaPlaylist:
    """A playlist on the timeline and with the numbers of another one of the same presentation.

    By the times of DASH, else by the dates in both, else by the numbers in both, else by their ends. On demand, both
    begin together.
    """
    if not reference.segments or not new.segments:
        return new
    if new.timed:
        return at_its_time(reference, new)
    if reference.ended and new.ended:
        return _shifted(new, number=reference.first_number - new.first_number)
    return at_its_time(reference, _shifted(new, start_s=_start_shift_s(reference, new, same_numbers=False)))


def at_its_time(reference: MediaPlaylist, new: MediaPlaylist) -> MediaPlaylist:
    """A playlist whose times are right, numbered as another one is at the same times."""
    if not reference.segments or not new.segments:
        return new
    return _shifted(new, number=_number_near(reference, new.segments[0].start_s) - new.first_number)


def on_clock_of(video: MediaPlaylist, audio: MediaPlaylist) -> MediaPlaylist:
    """Sound on the timeline of its picture; it is cut elsewhere, so its numbers stay its own."""
    if audio.timed or not video.segments or not audio.segments or (video.ended and audio.ended):
        return audio
    return _shifted(audio, start_s=_start_shift_s(video, audio, same_numbers=False))


def _start_shift_s(reference: MediaPlaylist, new: MediaPlaylist, *, same_numbers: bool) -> float:
    """What brings a playlist onto the timeline of another one; ``same_numbers`` where both are of one track."""
    first = new.segments[0]
    dated = next((one for one in reference.segments if one.utc_s is not None), None)
    if dated is not None and dated.utc_s is not None and first.utc_s is not None:
        return dated.start_s + (first.utc_s - dated.utc_s) - first.start_s
    for segment in new.segments:
        same = reference.segment(segment.number)
        if same is not None:
            return same.start_s - segment.start_s
    missed = new.first_number - reference.end_number
    if same_numbers or 0 <= missed <= len(reference.segments) + len(new.segments):
        return reference.duration_s + missed * reference.target_duration_s - first.start_s
    return reference.duration_s - new.duration_s


def _number_near(reference: MediaPlaylist, start_s: float) -> int:
    """The number of the segment that starts nearest to a time, in or beyond a playlist."""
    usual_s = max(reference.target_duration_s, 1e-3)
    if start_s < reference.segments[0].start_s:
        return reference.first_number - round((reference.segments[0].start_s - start_s) / usual_s)
    if start_s >= reference.duration_s - 1e-3:
        return reference.end_number + round((start_s - reference.duration_s) / usual_s)
    number = reference.number_at(start_s)
    here = reference.segment(number)
    return number + 1 if here is not None and start_s - here.start_s > here.end_s - start_s else number


def _shifted(playlist: MediaPlaylist, *, number: int = 0, start_s: float = 0.0) -> MediaPlaylist:
    if number == 0 and start_s == 0.0:
        return playlist

    def shifted(index: int) -> Segment:
        segment = playlist.segments[index]
        return replace(segment, number=segment.number + number, start_s=segment.start_s + start_s)

    return replace(
        playlist,
        renumbered_by=playlist.renumbered_by + number,
        segments=LazySequence(len(playlist.segments), shifted),
    )
