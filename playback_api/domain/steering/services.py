"""Choosing pathways for a session, at its start and while it runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from urllib.parse import quote

from playback_api.domain.counters import Counters
from playback_api.domain.playback.startup import usable_rungs
from playback_api.domain.playback.tokens import SessionClaims, TokenSigner
from playback_api.domain.served import Served, ServedSnapshots
from playback_api.domain.steering.fleet import EdgeFleet
from playback_api.domain.steering.schemas import SteeringManifest
from playback_api.routing import Candidate, Choice, Holding, Viewing, find_holding, rank_pathways, rendezvous_order
from playback_api.snapshot import PathwayRecord, TitleRecord

STEADY_TTL_S = 60
MOVING_TTL_S = 10
"""A session that is told to move is asked back soon."""
UNKNOWN_LATENCY_S = 0.25


class PathwayRouter:
    """Joins what was published with what the edges report, and ranks."""

    def __init__(self, fleet: EdgeFleet, counters: Counters) -> None:
        self._fleet = fleet
        self._counters = counters

    def rank(self, served: Served, claims: SessionClaims, *, current_pathway_id: str | None = None) -> list[Choice]:
        """The pathways for a session, best first; the origin is always among them.

        A region that the topology does not know is served by the origin, and counted.
        """
        snapshot = served.snapshot
        if claims.region_id not in snapshot.region_ids:
            self._counters.add("unknown_regions")
        title = snapshot.title_by_id.get(claims.title_id)
        viewing = Viewing(
            session_id=claims.session_id,
            title_id=claims.title_id,
            region_id=claims.region_id,
            popularity=served.popularity_of(claims.region_id, claims.title_id),
            current_pathway_id=current_pathway_id,
        )
        candidates = [self._candidate(served, claims, title, pathway) for pathway in snapshot.topology.pathways]
        return rank_pathways(viewing, candidates)

    def artwork_base_url(self, served: Served, viewer_id: str, region_id: str) -> str:
        """Where a page loads posters from: always the same healthy edge of the region for a viewer, else the origin."""
        edges = {
            view.pathway.pathway_id: view.pathway
            for view in self._fleet.views.values()
            if view.pathway.region_id == region_id and self._fleet.is_healthy(view)
        }
        if edges:
            first = rendezvous_order(viewer_id, {edge_id: edge.weight for edge_id, edge in edges.items()})[0]
            return edges[first].base_url
        return next(pathway.base_url for pathway in served.snapshot.topology.pathways if not pathway.region_id)

    def _candidate(
        self, served: Served, claims: SessionClaims, title: TitleRecord | None, pathway: PathwayRecord
    ) -> Candidate:
        view = self._fleet.views.get(pathway.pathway_id)
        healthy = not pathway.region_id or (view is not None and self._fleet.is_healthy(view))
        holding = Holding()
        if title is not None and view is not None and view.inventory is not None:
            rungs = usable_rungs(title.rungs, max_height=claims.max_height, bandwidth_bps=claims.bandwidth_bps)
            holding = find_holding(
                title.title_id,
                title.duration_s,
                [rung.rung for rung in rungs],
                served.snapshot.placement.get(pathway.pathway_id, {}),
                view.inventory,
                package_id=claims.package_id,
            )
        origin = next(other for other in served.snapshot.topology.pathways if not other.region_id)
        return Candidate(
            pathway_id=pathway.pathway_id,
            base_url=pathway.base_url,
            region_id=pathway.region_id,
            latency_s=pathway.latency_s_by_region.get(claims.region_id, UNKNOWN_LATENCY_S),
            upstream_latency_s=origin.latency_s_by_region.get(pathway.region_id, UNKNOWN_LATENCY_S),
            weight=pathway.weight,
            healthy=healthy,
            load=view.load if view is not None else 0.0,
            holding=holding,
        )


class SteeringService:
    """Answers the content steering questions of running sessions."""

    def __init__(
        self,
        snapshots: ServedSnapshots,
        router: PathwayRouter,
        signer: TokenSigner,
        counters: Counters,
        *,
        public_url: str,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._snapshots = snapshots
        self._router = router
        self._signer = signer
        self._counters = counters
        self._public_url = public_url.rstrip("/")
        self._clock = clock

    def steering_url(self, session_id: str, token: str) -> str:
        """Where a session asks."""
        return f"{self._public_url}/v1/steering/{session_id}?token={quote(token)}"

    def steer(self, session_id: str, token: str, *, current_pathway_id: str | None, for_dash: bool) -> SteeringManifest:
        """The manifest for a session as the network is now.

        Raises:
            TokenInvalid: The token is not this session's.
            SessionExpired: The session is over; HLS and DASH clients stop asking.
            SnapshotNotReady: Nothing is served yet.
        """
        claims = self._signer.read(token, session_id=session_id, now=self._clock())
        choices = self._router.rank(self._snapshots.current(), claims, current_pathway_id=current_pathway_id)
        priority = [choice.candidate.pathway_id for choice in choices]
        moves = current_pathway_id is not None and priority[0] != current_pathway_id
        self._counters.add("steering_answers", moves="yes" if moves else "no")
        return SteeringManifest(
            version=1,
            ttl_s=MOVING_TTL_S if moves else STEADY_TTL_S,
            reload_uri=self.steering_url(session_id, token),
            pathway_priority=[] if for_dash else priority,
            service_location_priority=priority if for_dash else [],
        )
