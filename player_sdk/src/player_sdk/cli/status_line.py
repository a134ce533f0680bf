"""What a session does, on one line for people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from player_sdk.events import Event, SegmentDownloaded, Stalled
from player_sdk.session import Session

_INTERVAL_S = 0.5
_BAR_CELLS = 10


class StatusLine:
    """Follows a session.

    Args:
        session: What is shown.
        full_buffer_s: As much as the bar has room for.
    """

    def __init__(self, session: Session, *, full_buffer_s: float) -> None:
        self._session = session
        self._full_buffer_s = full_buffer_s
        self._rung = "-"
        self._stalls = 0
        self._stalled_s = 0.0

    def take(self, event: Event) -> None:
        """Remember what the session itself does not say."""
        if isinstance(event, SegmentDownloaded) and event.kind == "video":
            self._rung = event.rung
        elif isinstance(event, Stalled):
            self._stalls += 1
            self._stalled_s += event.duration_s

    def text(self) -> str:
        """State, place, buffer, rung, throughput and stalls."""
        session = self._session
        filled = min(_BAR_CELLS, round(_BAR_CELLS * session.buffer_s / self._full_buffer_s))
        place = _clock_text(session.position_s) + (f"/{_clock_text(session.duration_s)}" if session.duration_s else "")
        rate = f"{session.throughput_bps / 1e6:.1f} Mbit/s" if session.throughput_bps else "-"
        return (
            f"{session.state:<11} {place}  buffer [{'#' * filled:<{_BAR_CELLS}}] {session.buffer_s:4.1f} s  "
            f"{self._rung}  {rate}  stalls {self._stalls} ({self._stalled_s:.1f} s)"
        )

    async def keep_showing(self, write: Callable[[str], object]) -> None:
        """Write the line over itself until it is cancelled."""
        while True:
            write(f"\r{self.text()}\x1b[K")
            await asyncio.sleep(_INTERVAL_S)


def _clock_text(position_s: float) -> str:
    minutes, seconds = divmod(int(position_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
