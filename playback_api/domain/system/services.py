"""The state of this process for operators."""

from __future__ import annotations

from collections.abc import Callable

from playback_api.domain.counters import Counters, Labels
from playback_api.domain.served import ServedSnapshots
from playback_api.domain.steering.fleet import EdgeFleet, EdgeView
from playback_api.domain.system.background import BackgroundWork
from playback_api.domain.system.schemas import EdgeReport, FleetReport, Readiness, ReloadReport, SnapshotReport
from playback_api.resilience import LoadShedder

METRIC_PREFIX = "matinee_control_"


class SystemService:
    """Reports what is served, how the edges are, what was counted; and looks at everything at once when asked."""

    def __init__(
        self,
        snapshots: ServedSnapshots,
        fleet: EdgeFleet,
        background: BackgroundWork,
        shedder: LoadShedder,
        counters: Counters,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._snapshots = snapshots
        self._fleet = fleet
        self._background = background
        self._shedder = shedder
        self._counters = counters
        self._monotonic = monotonic

    async def look_at_snapshot(self) -> bool:
        """Take over a newly published snapshot and its topology; returns whether there was one."""
        changed = await self._snapshots.refresh()
        if changed:
            self._fleet.follow(self._snapshots.current().snapshot.topology.pathways)
        return changed

    async def reload(self) -> ReloadReport:
        """Look at the pointer and at every edge now."""
        changed = await self.look_at_snapshot()
        await self._fleet.poll(every_edge=True)
        served = self._snapshots.served
        failure = self._snapshots.reader.last_failure
        return ReloadReport(
            snapshot_id=served.snapshot.snapshot_id if served else None,
            changed=changed,
            healthy_edges=[name for name, view in self._fleet.views.items() if self._fleet.is_healthy(view)],
            refusal=failure.reason if failure else None,
        )

    def readiness(self) -> Readiness:
        """Ready once a snapshot is served and all background work runs; an expired snapshot is told, not refused."""
        served = self._snapshots.served
        ended = self._background.ended
        problems = [f"background work {name} has ended; restart the process" for name in ended]
        if served is None:
            problems.append("no snapshot is served yet")
        if self._snapshots.reader.expired:
            problems.append("the snapshot has expired; look at the serving assets")
        if self._snapshots.reader.last_failure is not None:
            problems.append(f"the newest snapshot is refused: {self._snapshots.reader.last_failure.reason}")
        return Readiness(
            ready=served is not None and not ended,
            snapshot_id=served.snapshot.snapshot_id if served else None,
            problems=problems,
        )

    def snapshot(self) -> SnapshotReport:
        """The snapshot that is served.

        Raises:
            SnapshotNotReady: There is none.
        """
        served = self._snapshots.current()
        reader = self._snapshots.reader
        manifest = served.snapshot.manifest
        return SnapshotReport(
            snapshot_id=manifest.snapshot_id,
            schema_version=manifest.schema_version,
            created_at=manifest.created_at,
            expires_at=manifest.expires_at,
            expired=reader.expired,
            size_bytes=sum(file.size_bytes for file in manifest.files),
            counts=manifest.counts,
            models=served.snapshot.models,
            placement_plan_ids=manifest.placement_plan_ids,
            regions=served.snapshot.topology.regions,
            recommender_loaded=served.recommender is not None,
            recommender_problem=served.recommender_problem,
            challenger_version=served.challenger.model_version if served.challenger else "",
            challenger_problem=served.challenger_problem,
            loads=reader.loads,
            refusals=reader.failures,
            last_refusal=reader.last_failure.reason if reader.last_failure else None,
        )

    def edges(self) -> FleetReport:
        """Every edge of the topology.

        Raises:
            SnapshotNotReady: There is no topology yet.
        """
        snapshot = self._snapshots.current().snapshot
        return FleetReport(
            edges=[self._edge(view) for view in self._fleet.views.values()],
            origin_url=next(pathway.base_url for pathway in snapshot.topology.pathways if not pathway.region_id),
        )

    def metrics(self) -> str:
        """Counters and gauges in Prometheus' exposition format."""
        served = self._snapshots.served
        gauges: list[tuple[str, Labels, float]] = [
            ("in_flight", (), self._shedder.in_flight),
            ("snapshot_titles", (), len(served.snapshot.titles) if served else 0),
            ("snapshot_expired", (), int(self._snapshots.reader.expired)),
            ("background_ended", (), len(self._background.ended)),
        ]
        if served:
            gauges.append(("snapshot_created_seconds", (), served.snapshot.manifest.created_at.timestamp()))
        for name, view in self._fleet.views.items():
            edge = (("edge", name),)
            gauges.append(("edge_healthy", edge, int(self._fleet.is_healthy(view))))
            gauges.append(("edge_load", edge, view.load))
            gauges.append(("edge_generation", edge, view.inventory.generation if view.inventory else 0))
        return self._counters.prometheus_text(METRIC_PREFIX, gauges)

    def _edge(self, view: EdgeView) -> EdgeReport:
        planned = self._snapshots.current().snapshot.placement.get(view.pathway.pathway_id, {})
        inventory = view.inventory
        complete = inventory.complete if inventory else {}
        return EdgeReport(
            pathway_id=view.pathway.pathway_id,
            region_id=view.pathway.region_id,
            base_url=view.pathway.base_url,
            healthy=self._fleet.is_healthy(view),
            breaker=str(view.breaker.state),
            problem=view.problem,
            generation=inventory.generation if inventory else None,
            plan_id=inventory.plan_id if inventory else None,
            confirmed_age_s=None if view.confirmed_at_s is None else round(self._monotonic() - view.confirmed_at_s, 1),
            capacity_bytes=_size(view, "capacity_bytes"),
            placed_bytes=_size(view, "placed_bytes"),
            cached_bytes=_size(view, "cached_bytes"),
            planned_groups=sum(len(groups) for rungs in planned.values() for groups in rungs.values()),
            complete_groups=sum(
                len(set(groups) & set(complete.get(title_id, {}).get(rung, ())))
                for title_id, rungs in planned.items()
                for rung, groups in rungs.items()
            ),
            stats=view.stats or {},
        )


def _size(view: EdgeView, name: str) -> int:
    """A size as the edge's statistics have it now; pull-through changes it without a new inventory."""
    newest = (view.stats or {}).get(name)
    if isinstance(newest, int):
        return newest
    return int(getattr(view.inventory, name)) if view.inventory else 0
