"""Calls to one edge, typed and signed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import msgspec

from orchestration.edge.errors import EdgeRefusedError, EdgeUnreachableError
from orchestration.edge.orders import EdgeInventory, FillOrder, FillProgress, PurgeOrder, PurgeReport
from orchestration.edge.signing import SIGNATURE_HEADER, sign

DEFAULT_TIMEOUT = httpx.Timeout(10.0, connect=2.0)
RESCAN_TIMEOUT = httpx.Timeout(600.0, connect=2.0)
"""A disk that comes from another run of the machine is hashed before it is believed."""

Answer = TypeVar("Answer")


@contextmanager
def connect_edges(urls: Mapping[str, str], secret: str) -> Iterator[dict[str, EdgeClient]]:
    """Clients by edge, from their addresses; they share their connections and lose them with the block."""
    with httpx.Client(timeout=DEFAULT_TIMEOUT) as http:
        yield {edge_id: EdgeClient(edge_id, url, secret, http=http) for edge_id, url in urls.items()}


class EdgeClient:
    """Talks to one edge.

    Every call raises ``EdgeUnreachableError`` when no edge answers and ``EdgeRefusedError`` when it says no.

    Args:
        edge_id: Whom we mean to talk to.
        base_url: Where it answers.
        secret: Signs orders.
        http: Carries the calls; it is shared and closed by its owner.
        wall_clock: Unix seconds, for signatures.
    """

    def __init__(
        self,
        edge_id: str,
        base_url: str,
        secret: str,
        *,
        http: httpx.Client,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.edge_id = edge_id
        self.base_url = base_url.rstrip("/")
        self._secret = secret
        self._http = http
        self._wall_clock = wall_clock

    def inventory(self) -> EdgeInventory:
        """What the edge has now."""
        return self._decode(self._get("/edge/inventory"), EdgeInventory)

    def inventory_since(self, generation: int) -> EdgeInventory | None:
        """What the edge has now, or None when nothing has changed since a generation."""
        response = self._get("/edge/inventory", {"since": generation})
        return None if response.status_code == 304 else self._decode(response, EdgeInventory)

    def start_fill(self, order: FillOrder) -> FillProgress:
        """Have a plan brought in; the same plan again resumes."""
        return self._decode(self._post("/edge/fill", order), FillProgress)

    def fill_progress(self) -> FillProgress:
        """How far the running or last fill is."""
        return self._decode(self._get("/edge/fill"), FillProgress)

    def purge(self, *, title_ids: Sequence[str] = (), keep_plan: bool = False, cached: bool = False) -> PurgeReport:
        """Remove titles, placed objects outside the plan, or everything that was pulled."""
        order = PurgeOrder(title_ids=list(title_ids), keep_plan=keep_plan, cached=cached)
        return self._decode(self._post("/edge/purge", order), PurgeReport)

    def rescan(self) -> EdgeInventory:
        """Have the edge read its disk anew, which was restored or replaced under it; returns what it found."""
        return self._decode(self._post("/edge/rescan", timeout=RESCAN_TIMEOUT), EdgeInventory)

    def stats(self) -> dict[str, int | float | str]:
        """The edge's counters and its load."""
        return self._decode(self._get("/edge/stats"), dict[str, int | float | str])

    def _get(self, path: str, query: dict[str, int] | None = None) -> httpx.Response:
        return self._send(self._http.build_request("GET", self.base_url + path, params=query))

    def _post(
        self, path: str, order: FillOrder | PurgeOrder | None = None, *, timeout: httpx.Timeout = DEFAULT_TIMEOUT
    ) -> httpx.Response:
        body = b"" if order is None else msgspec.json.encode(order)
        signature = sign(self._secret, "POST", path, body, now=self._wall_clock())
        headers = {SIGNATURE_HEADER: signature, "Content-Type": "application/json"}
        request = self._http.build_request("POST", self.base_url + path, content=body, headers=headers, timeout=timeout)
        return self._send(request)

    def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            response = self._http.send(request)
        except httpx.HTTPError as error:
            raise EdgeUnreachableError(
                f"edge {self.edge_id} does not answer at {self.base_url}: {type(error).__name__}: {error}"
            ) from error
        if response.status_code >= 400:
            raise self._refusal(response)
        return response

    def _refusal(self, response: httpx.Response) -> EdgeRefusedError:
        try:
            answer: dict[str, Any] = msgspec.json.decode(response.content, type=dict[str, Any])
        except msgspec.MsgspecError:
            answer = {}
        detail = answer.get("detail") or response.reason_phrase
        facts = answer.get("extra")
        return EdgeRefusedError(
            f"edge {self.edge_id} refused {response.request.url.path} ({response.status_code}): {detail}",
            status_code=response.status_code,
            facts=facts if isinstance(facts, dict) else {},
        )

    def _decode(self, response: httpx.Response, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.MsgspecError as error:
            raise EdgeUnreachableError(f"what answers at {self.base_url} is no edge: {error}") from error
