"""Content keys over HTTP."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, MediaType, Response, get, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, JSONBody, PathParameter, QueryParameter

from playback_api.domain.errors import INVALID, describe_errors
from playback_api.domain.keys.schemas import Licence, LicenceRequest
from playback_api.domain.keys.services import KeyService

BEARER = "Bearer "
REFUSALS = describe_errors(
    e400=INVALID,
    e403="No token, a wrong one, one that is over, or a key of something else than the session plays.",
    e429="More keys than a player needs; see Retry-After.",
)

Authorization = Annotated[
    str | None, HeaderParameter(name="Authorization", max_length=1100, description="`Bearer ` and the session's token.")
]
Token = Annotated[
    str | None,
    QueryParameter(max_length=1000, description="The session's token, from players that cannot send the header."),
]


class KeyController(Controller):
    """Keys of protected titles, for the sessions that play them."""

    path = "/v1/keys"
    tags = ["keys"]
    cache_control = CacheControlHeader(no_store=True)

    @get(
        "/{key_id:str}",
        operation_id="readKey",
        summary="One AES-128 key",
        description="The 16 bytes of the key that EXT-X-KEY names, for HLS players that decrypt whole segments.",
        media_type="application/octet-stream",
        responses={
            200: ResponseSpec(
                bytes, description="The key.", media_type="application/octet-stream", generate_examples=False
            ),
            **REFUSALS,
        },
        sync_to_thread=False,
    )
    def read_key(
        self,
        keys: NamedDependency[KeyService],
        key_id: Annotated[str, PathParameter(pattern=r"^[0-9a-f]{32}$", description="32 hexadecimal digits.")],
        authorization: Authorization = None,
        token: Token = None,
    ) -> Response[bytes]:
        """Derive one key."""
        return Response(keys.key(key_id, _token_of(authorization, token)), media_type="application/octet-stream")

    @post(
        "/license",
        operation_id="readLicence",
        summary="A ClearKey licence",
        description="For the ClearKey key system of W3C Encrypted Media Extensions: key ids in, keys out, all or none.",
        status_code=200,
        media_type=MediaType.JSON,
        responses=REFUSALS,
        sync_to_thread=False,
    )
    def read_licence(
        self,
        keys: NamedDependency[KeyService],
        data: JSONBody[LicenceRequest],
        authorization: Authorization = None,
        token: Token = None,
    ) -> Licence:
        """Derive the keys of a licence."""
        return keys.licence(data, _token_of(authorization, token))


def _token_of(authorization: str | None, token: str | None) -> str | None:
    """The header's token where there is one, else the query's."""
    if authorization and authorization.startswith(BEARER):
        return authorization.removeprefix(BEARER).strip()
    return token
