"""Content steering (HLS, and the same document for DASH): the server's wish which pathway to use, asked for by TTL."""

from __future__ import annotations

import logging
import math
from typing import Literal
from urllib.parse import urljoin

import httpx
import msgspec

from player_sdk.background import BACKGROUND_EXTENSION, Background
from player_sdk.clock import Clock
from player_sdk.headers import retry_after_s
from player_sdk.loader import PathwayLoader

DEFAULT_TTL_S = 300.0
_MIN_TTL_S = 1.0

_log = logging.getLogger(__name__)


class SteeringManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A steering manifest, version 1; HLS and DASH name the order differently."""

    version: int = msgspec.field(name="VERSION")
    ttl_s: float = msgspec.field(name="TTL", default=DEFAULT_TTL_S)
    reload_uri: str | None = msgspec.field(name="RELOAD-URI", default=None)
    pathway_priority: list[str] = msgspec.field(name="PATHWAY-PRIORITY", default=[])
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
        self._prefix = f"_{protocol.upper()}_"
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
        self._next_poll_s = self._clock.now() + DEFAULT_TTL_S
        query = {f"{self._prefix}pathway": self._loader.pathway_id}
        if throughput_bps:
            query[f"{self._prefix}throughput"] = str(round(throughput_bps))
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
            self._next_poll_s = self._clock.now() + (DEFAULT_TTL_S if wanted_s is None else max(wanted_s, _MIN_TTL_S))
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
            self._next_poll_s = self._clock.now() + max(manifest.ttl_s, _MIN_TTL_S)
        if manifest.reload_uri:
            self._url = urljoin(self._url, manifest.reload_uri)
        if manifest.priority:
            self._loader.prioritise(manifest.priority)
