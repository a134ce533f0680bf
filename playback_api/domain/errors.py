"""What the control API refuses, and how a refusal looks on the wire.

Services raise these; none of them knows HTTP beyond its status code. ``answer_error`` turns each into
``{"status_code": n, "detail": "...", "extra": {...}}``.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """Every answer that is not a success. ``detail`` says what was wrong and what to do."""

    status_code: int
    detail: str
    extra: dict[str, Any] | list[Any] | None = {}


class ApiError(Exception):
    """A request that cannot be answered.

    Attributes:
        status_code: The HTTP status.
        headers: Sent with the answer, such as ``Retry-After``.
        extra: Facts for programs, beside the sentence for people.
    """

    status_code = 500
    headers: dict[str, str] = {}

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.extra = extra


class CursorInvalid(ApiError):
    """A paging cursor that this API did not give out."""

    status_code = 400


class TokenInvalid(ApiError):
    """A session token that was not signed here, or belongs to another session."""

    status_code = 401


class TitleTooMature(ApiError):
    """The title is rated above the age that the request allows."""

    status_code = 403


class KeyRefused(ApiError):
    """A content key was asked for without a session that may have it."""

    status_code = 403


class NetworkNotTold(ApiError):
    """The graph has published no overview of the network yet, or one that cannot be read."""

    status_code = 404


class TitleUnknown(ApiError):
    """No such title in the snapshot."""

    status_code = 404


class SessionExpired(ApiError):
    """The session is over; HLS and DASH clients stop asking for steering after a 410."""

    status_code = 410


class KeysAskedTooOften(ApiError):
    """A session asked for more content keys than a player needs."""

    status_code = 429
    headers = {"Retry-After": "60"}


class TitleNotLicensed(ApiError):
    """Today lies outside the title's licence window."""

    status_code = 451


class SnapshotNotReady(ApiError):
    """Nothing has been published yet, or nothing that is fit to serve."""

    status_code = 503
    headers = {"Retry-After": "2"}


INVALID = "A parameter or a field is missing, or is none that is taken; `extra` says which."


def describe_errors(**meanings: str) -> dict[int, ResponseSpec]:
    """OpenAPI responses of an operation: ``describe_errors(e404="No such title.")``."""
    return {
        int(name.removeprefix("e")): ResponseSpec(ErrorBody, description=meaning, generate_examples=False)
        for name, meaning in meanings.items()
    }


def answer_error(_: Request[Any, Any, Any], error: ApiError) -> Response[ErrorBody]:
    """The one form in which every refusal leaves the API."""
    body = ErrorBody(status_code=error.status_code, detail=str(error), extra=error.extra)
    return Response(body, status_code=error.status_code, headers=error.headers)
