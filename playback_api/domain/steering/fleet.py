"""What is known of the edges: their inventories, their health and what they say about themselves.

An edge counts as healthy while its breaker is closed and its inventory was confirmed a short while ago. An edge that
never answered is unknown, and nobody is sent there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import msgspec

from playback_api.domain.counters import Counters
from playback_api.resilience import CircuitBreaker
from playback_api.routing import EdgeInventory
from playback_api.snapshot import PathwayRecord

logger = logging.getLogger(__name__)

FAILURES_TO_TRIP = 2
RESET_AFTER_S = 5.0
STALE_AFTER_POLLS = 5


class Breaker(Protocol):
    """What is needed of ``playback_api.resilience.CircuitBreaker``."""

    @property
    def state(self) -> str:
        """``closed`` while calls pass."""
        ...

    def allow(self) -> bool:
        """Whether a call may be made now."""
        ...

    def record_success(self) -> None:
        """The call came through."""
        ...

    def record_failure(self) -> None:
        """The call failed."""
        ...


@dataclass(kw_only=True)
class EdgeView:
    """One edge as this process sees it.

    Attributes:
        inventory: The newest that it gave; None while unknown.
        stats: Its own counters, for operators and for its load.
        confirmed_at_s: Monotonic time of the last good answer.
        problem: Why the last question failed; empty when it did not.
    """

    pathway: PathwayRecord
    breaker: Breaker
    inventory: EdgeInventory | None = None
    stats: dict[str, Any] | None = None
    confirmed_at_s: float | None = None
    problem: str = ""

    @property
    def load(self) -> float:
        """Share of its capacity in use, 0-1, if it says so; 0 otherwise."""
        value = (self.stats or {}).get("load", 0.0)
        return min(1.0, max(0.0, float(value))) if isinstance(value, int | float) else 0.0


class EdgeAnswerInvalid(Exception):
    """An edge answered with something else than what was asked for."""


class EdgeFleet:
    """Polls the edges of the topology and keeps the newest answers.

    Args:
        client: Makes the calls; its time-out bounds a poll.
        counters: Where polls and failures are counted.
        poll_interval_s: How often ``poll`` is meant to run; answers older than a few intervals are stale.
        make_breaker: A breaker for an edge's name.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        counters: Counters,
        *,
        poll_interval_s: float,
        make_breaker: Callable[[str], Breaker] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._counters = counters
        self._stale_after_s = max(STALE_AFTER_POLLS * poll_interval_s, 5.0)
        self._clock = clock
        self._make_breaker = make_breaker or self._default_breaker
        self._views: dict[str, EdgeView] = {}
        self._polling = asyncio.Lock()

    @property
    def views(self) -> dict[str, EdgeView]:
        """Every edge of the topology."""
        return self._views

    def is_healthy(self, view: EdgeView) -> bool:
        """Whether viewers may be sent there."""
        if view.inventory is None or view.confirmed_at_s is None or view.breaker.state != "closed":
            return False
        return self._clock() - view.confirmed_at_s <= self._stale_after_s

    def follow(self, pathways: Iterable[PathwayRecord]) -> None:
        """Take over the edges of a new topology; what is known of an edge whose address stays is kept."""
        views: dict[str, EdgeView] = {}
        for pathway in pathways:
            if not pathway.region_id:
                continue
            known = self._views.get(pathway.pathway_id)
            if known is not None and known.pathway.base_url == pathway.base_url:
                known.pathway = pathway
                views[pathway.pathway_id] = known
            else:
                views[pathway.pathway_id] = EdgeView(pathway=pathway, breaker=self._make_breaker(pathway.pathway_id))
        self._views = views

    async def poll(self, *, every_edge: bool = False) -> None:
        """Ask the edges; a slow or broken one delays nobody but by the time-out.

        Args:
            every_edge: Ask those too whose breaker is open: somebody who knows better wants to know now.
        """
        async with self._polling:
            await asyncio.gather(
                *(self._poll_edge(view) for view in self._views.values() if every_edge or view.breaker.allow())
            )

    async def _poll_edge(self, view: EdgeView) -> None:
        edge_id = view.pathway.pathway_id
        self._counters.add("edge_polls", edge=edge_id)
        try:
            inventory = await self._ask_inventory(view)
            stats = await self._ask_stats(view)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, EdgeAnswerInvalid) as error:
            # msgspec's DecodeError is a ValueError, and so is the UnicodeDecodeError it raises for broken UTF-8.
            problem = f"{type(error).__name__}: {error}"
            if problem != view.problem:
                logger.warning("edge %s at %s does not answer: %s", edge_id, view.pathway.base_url, problem)
            view.problem = problem
            view.breaker.record_failure()
            self._counters.add("edge_poll_failures", edge=edge_id)
            return
        if view.problem:
            logger.info("edge %s answers again", edge_id)
        view.inventory, view.stats, view.problem = inventory, stats, ""
        view.confirmed_at_s = self._clock()
        view.breaker.record_success()

    async def _ask_inventory(self, view: EdgeView) -> EdgeInventory:
        known = view.inventory
        response = await self._client.get(
            f"{view.pathway.base_url}/edge/inventory",
            params={"since": known.generation} if known is not None else None,
        )
        if response.status_code == httpx.codes.NOT_MODIFIED and known is not None:
            return known
        response.raise_for_status()
        inventory = msgspec.json.decode(response.content, type=EdgeInventory)
        if inventory.edge_id != view.pathway.pathway_id:
            raise EdgeAnswerInvalid(f"{inventory.edge_id!r} answers at the address of {view.pathway.pathway_id!r}")
        return inventory

    async def _ask_stats(self, view: EdgeView) -> dict[str, Any]:
        response = await self._client.get(f"{view.pathway.base_url}/edge/stats")
        response.raise_for_status()
        return msgspec.json.decode(response.content, type=dict[str, Any])

    def _default_breaker(self, edge_id: str) -> Breaker:
        return CircuitBreaker(
            edge_id, failure_threshold=FAILURES_TO_TRIP, reset_after_s=RESET_AFTER_S, clock=self._clock
        )
