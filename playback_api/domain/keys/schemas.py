"""ClearKey's licence request and licence, as W3C Encrypted Media Extensions, 9.1.3 and 9.1.4, define them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

KeyIdText = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_-]{22}$",
        description="A key id, 16 bytes in base64url without padding.",
        examples=["ABEiM0RVZneImaq7zN3u_w"],
        extra_json_schema={"maxLength": 22},
    ),
]
KeyIds = Annotated[list[KeyIdText], msgspec.Meta(min_length=1, max_length=16)]


class LicenceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a ClearKey content decryption module sends; ``type`` is echoed."""

    kids: KeyIds
    type: Literal["temporary", "persistent-license"] = "temporary"


class LicenceKey(msgspec.Struct, frozen=True, kw_only=True):
    """A symmetric JSON Web Key: key ``k`` of key id ``kid``, both base64url without padding."""

    kid: str
    k: str
    kty: Literal["oct"] = "oct"


class Licence(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that were asked for."""

    keys: list[LicenceKey]
    type: Literal["temporary", "persistent-license"]
