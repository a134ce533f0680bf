"""What players read: the content steering manifest."""

from __future__ import annotations

from typing import Annotated

import msgspec


class SteeringManifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Content steering manifest, version 1, for HLS (RFC 8216bis, 7.1) and DASH (ETSI TS 103 998).

    Exactly one of the two priority lists is present: the one for the client that asks.
    """

    version: Annotated[int, msgspec.Meta(description="Always 1.", examples=[1])] = msgspec.field(name="VERSION")
    ttl_s: Annotated[int, msgspec.Meta(description="Seconds until the next question.", examples=[60])] = msgspec.field(
        name="TTL"
    )
    reload_uri: Annotated[str, msgspec.Meta(description="Where to ask next.")] = msgspec.field(name="RELOAD-URI")
    pathway_priority: Annotated[
        list[str], msgspec.Meta(description="HLS: pathway ids, best first.", examples=[["eu-north-1", "origin"]])
    ] = msgspec.field(name="PATHWAY-PRIORITY", default_factory=list)
    service_location_priority: Annotated[
        list[str], msgspec.Meta(description="DASH: service locations, best first.", examples=[["eu-north-1", "origin"]])
    ] = msgspec.field(name="SERVICE-LOCATION-PRIORITY", default_factory=list)
