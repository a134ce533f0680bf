"""Every request on its way in: shed when the process is full, the least important first, and counted.

Play goes before steering, steering before pages. What operators ask is never shed.
"""

from __future__ import annotations

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from playback_api.domain.counters import Counters
from playback_api.domain.errors import ApiError
from playback_api.resilience import LoadShedder, OverloadedError, Priority

PRIORITY_BY_NOUN = {
    "playback": Priority.PLAY,
    "keys": Priority.PLAY,
    "steering": Priority.STEER,
    "home": Priority.HOME,
    "search": Priority.HOME,
    "catalogue": Priority.HOME,
    "profiles": Priority.HOME,
}
MAX_IN_FLIGHT = 256


class Overloaded(ApiError):
    """There is no room for a request of this priority now."""

    status_code = 503

    def __init__(self, refusal: OverloadedError) -> None:
        super().__init__(str(refusal), priority=refusal.priority.name.lower())
        self.headers = {"Retry-After": f"{max(1, round(refusal.retry_after_s))}"}


class Admission:
    """ASGI middleware around the operations of ``/v1``.

    Args:
        app: What comes next.
        shedder: Decides who gets in.
        counters: Where requests are counted, by noun and class of status.
    """

    def __init__(self, app: ASGIApp, shedder: LoadShedder, counters: Counters) -> None:
        self._app = app
        self._shedder = shedder
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit, pass on and count one request."""
        noun = _noun_of(scope["path"])
        if noun is None:
            await self._app(scope, receive, send)
            return

        async def counting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._counters.add("requests", noun=noun, status=f"{message['status'] // 100}xx")
            await send(message)

        try:
            with self._shedder.admit(PRIORITY_BY_NOUN[noun]):
                await self._app(scope, receive, counting_send)
        except OverloadedError as error:
            self._counters.add("requests_shed", noun=noun)
            raise Overloaded(error) from error


def _noun_of(path: str) -> str | None:
    parts = path.split("/", 3)
    noun = parts[2] if len(parts) > 2 and parts[1] == "v1" else ""
    return noun if noun in PRIORITY_BY_NOUN else None
