"""What an adaptive bit rate policy sees and answers.

The same interface serves live sessions, the simulation and the scoring of policies on recorded traces: a policy knows
only what a real player knows, and asks nobody for the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_LITERATURE_SEGMENT_S = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadSample:
    """One video download as the player saw it, finished or abandoned.

    Attributes:
        rung: Index on the ladder, 0 the lowest.
        size_bytes: Bytes received.
        duration_s: From the request to the last byte, the round trip included.
        latency_s: From the request to the first byte, None where nobody measured it.
        from_cache: An edge had it; None where the delivery did not say.
        abandoned: It was dropped before its end.
    """

    rung: int
    size_bytes: float
    duration_s: float
    latency_s: float | None = None
    from_cache: bool | None = None
    abandoned: bool = False

    @property
    def throughput_bps(self) -> float:
        """Bits a second over the whole download."""
        return self.size_bytes * 8.0 / max(self.duration_s, 1e-6)


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityWeights:
    """How good a session is: quality − rebuffer_weight · stalled seconds − switch_weight · |change of quality|.

    The linear form of the literature (Yin et al., SIGCOMM 2015): quality is the bit rate in Mbit/s.
    """

    rebuffer_weight: float = 4.3
    switch_weight: float = 1.0

    def for_segments_of(self, duration_s: float) -> QualityWeights:
        """The same for segments of another length than the 4 s of the literature.

        A stalled second and a switch are as bad as so many seconds of better quality, however these are cut.
        """
        scale = _LITERATURE_SEGMENT_S / max(duration_s, 0.1)
        return QualityWeights(rebuffer_weight=scale * self.rebuffer_weight, switch_weight=scale * self.switch_weight)


@dataclass(frozen=True, kw_only=True, slots=True)
class AbrState:
    """What a policy may look at before a request.

    Attributes:
        segment_index, segment_count: Which segment is asked for next, of how many; of a live title as if there were
            more of it already.
        segment_duration_s: Length of a segment.
        bitrates_bps: The ladder, ascending.
        sizes_bytes: ``sizes_bytes[segment][rung]``, from the manifest or estimated from the bit rates, with the sound
            that comes with it over the same line.
        qualities: The worth of a segment at each rung, in the units of ``weights``.
        buffer_s, buffer_max_s: Seconds of media ahead of the playhead, and how many may be when a segment is asked
            for. Of a live title there are no more than its server has.
        last_rung: The rung of the segment before, -1 at the start.
        startup_bitrate_bps: Of the rung that the server would start with, None when it has no wish.
    """

    segment_index: int
    segment_count: int
    segment_duration_s: float
    bitrates_bps: Sequence[float]
    sizes_bytes: Sequence[Sequence[float]]
    qualities: Sequence[float]
    buffer_s: float
    buffer_max_s: float
    last_rung: int = -1
    startup_bitrate_bps: float | None = None
    weights: QualityWeights = QualityWeights()


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Which rung to ask for, after waiting ``wait_s`` (the buffer drains meanwhile).

    A rung that the ladder does not have is taken for the nearest that it has.
    """

    rung: int
    wait_s: float = 0.0


class Abr(Protocol):
    """A policy; one object serves one session."""

    def choose(self, state: AbrState) -> Decision:
        """Pick the rung of the next segment."""
        ...

    def observe(self, sample: DownloadSample) -> None:
        """Learn from a download, in the order in which they end."""
        ...

    def abandon(self, state: AbrState, rung: int, received_bytes: float, elapsed_s: float) -> int | None:
        """Whether to drop the running download of a segment and ask for a lower rung; None goes on.

        Asked about four times a second while a download runs; ``state.buffer_s`` is what is left now.
        """
        ...


def linear_qualities(bitrates_bps: Sequence[float]) -> tuple[float, ...]:
    """Quality as Mbit/s."""
    return tuple(bitrate_bps / 1e6 for bitrate_bps in bitrates_bps)


def highest_below(bitrates_bps: Sequence[float], limit_bps: float) -> int:
    """The highest rung whose bit rate is within a limit; 0 when none is."""
    best = 0
    for rung, bitrate_bps in enumerate(bitrates_bps):
        if bitrate_bps <= limit_bps:
            best = rung
    return best


def startup_rung(state: AbrState) -> int:
    """The rung to start with before anything was measured: the one nearest to the server's wish, else the lowest.

    Nearest by ratio, because the two sides may count differently (with and without the audio beside it).
    """
    wish_bps = state.startup_bitrate_bps
    if not wish_bps or wish_bps <= 0:
        return 0
    ratios = [max(bitrate_bps / wish_bps, wish_bps / max(bitrate_bps, 1.0)) for bitrate_bps in state.bitrates_bps]
    return min(range(len(ratios)), key=ratios.__getitem__)
