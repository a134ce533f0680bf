"""Content steering (RFC 8216bis, 7; the same document for DASH): which pathways there are, and which to use, by TTL."""

from __future__ import annotations

import logging
import math
import re
from typing import Literal
from urllib.parse import urljoin

import httpx
import msgspec

from player_sdk.background import BACKGROUND_EXTENSION, Background
from player_sdk.clock import Clock
from player_sdk.headers import retry_after_s
from player_sdk.loader import PathwayLoader
from player_sdk.models import Pathway
from player_sdk.playlist.model import StableId

DEFAULT_TTL_S = 300.0
_MIN_TTL_S = 1.0

_log = logging.getLogger(__name__)


class UriReplacement(msgspec.Struct, frozen=True, kw_only=True):
    """What differs in the URIs of a clone: the host of all, or single media playlists by their stable ids."""

    host: str | None = msgspec.field(name="HOST", default=None)
    params: dict[str, str] = msgspec.field(name="PARAMS", default={})
    variant_uris: dict[str, str] = msgspec.field(name="PER-VARIANT-URIS", default={})
    rendition_uris: dict[str, str] = msgspec.field(name="PER-RENDITION-URIS", default={})


class PathwayClone(msgspec.Struct, frozen=True, kw_only=True):
    """A pathway that the manifest did not know, made from one that it did."""

    base_id: str = msgspec.field(name="BASE-ID")
    pathway_id: str = msgspec.field(name="ID")
    replacement: UriReplacement = msgspec.field(name="URI-REPLACEMENT")


class SteeringManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A steering manifest, version 1; HLS and DASH name the order differently."""

    version: int = msgspec.field(name="VERSION")
    ttl_s: float = msgspec.field(name="TTL", default=DEFAULT_TTL_S)
    reload_uri: str | None = msgspec.field(name="RELOAD-URI", default=None)
    pathway_priority: list[str] = msgspec.field(name="PATHWAY-PRIORITY", default=[])
    clones: list[PathwayClone] = msgspec.field(name="PATHWAY-CLONES", default=[])
    service_location_priority: list[str] = msgspec.field(name="SERVICE-LOCATION-PRIORITY", default=[])

    @property
    def priority(self) -> list[str]:
        """Pathways, best first."""
        return self.pathway_priority or self.service_location_priority


class SteeringClient:
    """Asks the steering server in the background and hands its order to the loader.

    Args:
        url: The steering manifest.
        protocol: Whose names the questions use.
        first_poll_after_s: The order of the playback plan is fresh, so the first question can wait.

    Attributes:
        polls, failures: Questions asked, and those that brought no order. Playback goes on with the order it has.
    """

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        clock: Clock,
        loader: PathwayLoader,
        url: str,
        protocol: Literal["hls", "dash"] = "hls",
        first_poll_after_s: float = 30.0,
    ) -> None:
        self._http = http
        self._clock = clock
        self._loader = loader
        self._url = url
        self._protocol = protocol
        self._ttl_s = DEFAULT_TTL_S
        self._background = Background(clock)
        self._next_poll_s = clock.now() + first_poll_after_s
        self.polls = 0
        self.failures = 0

    @property
    def stopped(self) -> bool:
        """Whether the server said 410: nobody steers this session any more."""
        return math.isinf(self._next_poll_s)

    @property
    def next_poll_s(self) -> float:
        """When the server is asked next, by the clock."""
        return self._next_poll_s

    async def poll_due(self, throughput_bps: float | None) -> None:
        """Ask if the time has come."""
        if self._clock.now() >= self._next_poll_s:
            await self._background.run(lambda: self._poll(throughput_bps))

    async def close(self) -> None:
        """Stop asking."""
        await self._background.cancel()

    async def _poll(self, throughput_bps: float | None) -> None:
        self.polls += 1
        self._next_poll_s = self._clock.now() + self._ttl_s
        prefix = f"_{self._protocol.upper()}_"
        query = {f"{prefix}pathway": self._loader.pathway_id}
        if throughput_bps:
            query[f"{prefix}throughput"] = str(round(throughput_bps))
        try:
            url = httpx.URL(self._url).copy_merge_params(query)
            response = await self._http.get(url, extensions={BACKGROUND_EXTENSION: True})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._failed(f"{type(error).__name__} {error}")
            return
        if response.status_code == 410:
            self._next_poll_s = math.inf
        elif response.status_code == 429:
            wanted_s = retry_after_s(response.headers, self._clock.utc_now())
            self._next_poll_s = self._clock.now() + (self._ttl_s if wanted_s is None else max(wanted_s, _MIN_TTL_S))
        elif response.is_success:
            self._apply(response.content)
        else:
            self._failed(f"status {response.status_code}")

    def _failed(self, reason: str) -> None:
        self.failures += 1
        _log.warning("%s gave no order of pathways: %s", self._url.split("?", 1)[0], reason)

    def _apply(self, body: bytes) -> None:
        try:
            manifest = msgspec.json.decode(body, type=SteeringManifest)
        except msgspec.DecodeError as error:
            self._failed(f"not a steering manifest: {error}")
            return
        if manifest.version != 1:
            self._failed(f"version {manifest.version}; this player reads version 1")
            return
        if math.isfinite(manifest.ttl_s):
            self._ttl_s = max(manifest.ttl_s, _MIN_TTL_S)
        self._next_poll_s = self._clock.now() + self._ttl_s
        if manifest.reload_uri:
            self._url = urljoin(self._url, manifest.reload_uri)
        for clone in manifest.clones:
            self._clone(clone)
        if manifest.priority:
            self._loader.prioritise(manifest.priority)

    def _clone(self, clone: PathwayClone) -> None:
        """Add a pathway; one that is known already stays as it is, and one that cannot be made is counted."""
        base = self._loader.pathway(clone.base_id)
        if self._loader.pathway(clone.pathway_id) is not None:
            return
        replacement = clone.replacement
        if base is None or not clone.pathway_id:
            why = f"no pathway {clone.base_id!r}" if base is None else "it has no ID"
            self._failed(f"the clone {clone.pathway_id!r} cannot be made: {why}")
            return
        try:
            base_url = _with_host(base.base_url, replacement.host)
            playlist_urls: dict[StableId, str] = {
                stable_id: _with_host(url, replacement.host)
                for stable_id, url in self._loader.playlist_urls(clone.base_id).items()
            }
        except (httpx.InvalidURL, ValueError) as error:
            self._failed(f"the clone {clone.pathway_id!r} has no usable HOST: {error}")
            return
        # A URI of its own is whole: HOST is not for it, PARAMS are.
        for stable_id, uri in replacement.variant_uris.items():
            playlist_urls["variant", stable_id] = urljoin(f"{base_url}/", uri)
        for stable_id, uri in replacement.rendition_uris.items():
            playlist_urls["rendition", stable_id] = urljoin(f"{base_url}/", uri)
        self._loader.add_pathway(
            Pathway(pathway_id=clone.pathway_id, base_url=base_url),
            params={**self._loader.params(clone.base_id), **replacement.params},
            params_on_media=self._protocol == "dash",
            playlist_urls=playlist_urls,
        )


def _with_host(base_url: str, host: str | None) -> str:
    """A base URL on another host, which may name a port.

    Raises:
        ValueError: Not a host.
    """
    if not host:
        return base_url
    name, _, port = host.partition(":")
    if not re.fullmatch(r"[A-Za-z0-9.-]+", name) or not re.fullmatch(r"\d{0,5}", port) or int(port or 0) > 65535:
        raise ValueError(f"{host[:80]!r} is not a host")
    return str(httpx.URL(base_url).copy_with(host=name, port=int(port) if port else None))
