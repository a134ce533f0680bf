"""What the SDK raises.

    PlayerError
    ├── ApiError                 the control API refused or could not be reached
    │   ├── TitleNotFound        404
    │   ├── TitleUnavailable     451: no licence today
    │   └── ServiceUnavailable   503, 429, or no connection; may say when to come back
    ├── PlaylistError            a manifest that cannot be read or played
    ├── DeliveryError            every pathway failed to deliver something
    └── OfflineExpired           a download whose licence has ended

Only asking for something raises. Once a session plays, what goes wrong is told by its events, its heartbeats and its
report, never by an exception.
"""

from __future__ import annotations


class PlayerError(Exception):
    """The root of all that the SDK raises on purpose."""


class ApiError(PlayerError):
    """The control API's answer was not usable.

    Attributes:
        status_code: The HTTP status; 0 when there was no answer.
        detail: What the API said.
    """

    def __init__(self, message: str, *, status_code: int = 0, detail: str = "") -> None:
        super().__init__(message)
        self.status_code = status_code
        self.detail = detail


class TitleNotFound(ApiError):
    """The catalogue has no such title."""


class TitleUnavailable(ApiError):
    """The title has no licence for this viewer today."""


class ServiceUnavailable(ApiError):
    """The API cannot answer now.

    Attributes:
        retry_after_s: When the API wants to be asked again, if it said so.
    """

    def __init__(
        self, message: str, *, status_code: int = 0, detail: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, status_code=status_code, detail=detail)
        self.retry_after_s = retry_after_s


class PlaylistError(PlayerError):
    """A manifest breaks its standard, or holds nothing that this player can play."""


class DeliveryError(PlayerError):
    """No pathway delivered a resource within the retries allowed."""


class OfflineExpired(PlayerError):
    """A downloaded title may not be played any more."""
