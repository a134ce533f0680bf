"""The home page of a viewer: rows by the model or by popularity, logged as they were shown."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Sequence

from playback_api.domain.catalogue.schemas import card_of
from playback_api.domain.counters import Counters
from playback_api.domain.home.experiments import treat
from playback_api.domain.home.impressions import ImpressionRecorder
from playback_api.domain.home.rows import PageRequest, PageRow, PlacedTitle, build_rows
from playback_api.domain.home.schemas import HomePage, HomeRow, HomeTitle
from playback_api.domain.home.shelf import Shelves
from playback_api.domain.profiles.services import ProfileService, strictest_age
from playback_api.domain.served import Recommendation, Recommender, Served, ServedSnapshots, Watched
from playback_api.domain.steering.services import PathwayRouter
from playback_api.events import Impression, ImpressionItem
from playback_api.profile import ViewerProfile
from playback_api.snapshot import Ranking

LOWEST_AFFINITY, HIGHEST_AFFINITY = 1.0, 5.0


class HomeService:
    """Makes home pages."""

    def __init__(
        self,
        snapshots: ServedSnapshots,
        router: PathwayRouter,
        profiles: ProfileService,
        impressions: ImpressionRecorder,
        counters: Counters,
        *,
        clock: Callable[[], dt.datetime],
        new_impression_id: Callable[[], str] = lambda: secrets.token_urlsafe(12),
    ) -> None:
        self._snapshots = snapshots
        self._router = router
        self._profiles = profiles
        self._impressions = impressions
        self._counters = counters
        self._clock = clock
        self._new_impression_id = new_impression_id
        self._shelves = Shelves()

    def page(self, viewer_id: str, region_id: str, *, max_age: int | None) -> HomePage:
        """The page for a viewer now.

        Raises:
            SnapshotNotReady: Nothing is served yet.
        """
        served = self._snapshots.current()
        now = self._clock()
        today = now.date()
        profile = self._profiles.profile(viewer_id)
        limit = strictest_age(max_age, profile)
        treatment = treat(served.snapshot.experiments, viewer_id, today, has_trial=served.has_trial)
        recommender = served.challenger if treatment.ranking == "challenger" else served.recommender
        recommended = self._recommend(served, recommender, profile, region_id, ranking=treatment.ranking)
        rows = build_rows(
            PageRequest(
                shelf=self._shelves.shelf(served, today=today, max_age=limit, region_id=region_id),
                profile=profile,
                today=today,
                recommended=recommended,
                exploration_share=treatment.exploration_share,
            )
        )
        model_version = recommender.model_version if recommended and recommender else ""
        impression_id = self._new_impression_id()
        self._impressions.record(
            Impression(
                impression_id=impression_id,
                viewer_id=viewer_id,
                region=region_id,
                shown_at=now,
                snapshot_id=served.snapshot.snapshot_id,
                model_version=model_version,
                items=_impression_items(rows),
                exposures=list(treatment.exposures),
            )
        )
        return HomePage(
            viewer_id=viewer_id,
            region_id=region_id,
            source="model" if recommended else "popularity",
            model_version=model_version,
            snapshot_id=served.snapshot.snapshot_id,
            impression_id=impression_id,
            artwork_base_url=self._router.artwork_base_url(served, viewer_id, region_id),
            rows=self._wire_rows(served, viewer_id, rows),
        )

    def _recommend(
        self,
        served: Served,
        recommender: Recommender | None,
        profile: ViewerProfile,
        region_id: str,
        *,
        ranking: Ranking,
    ) -> Sequence[Recommendation]:
        """The model's answer; empty, with the reason counted, when popularity makes the page."""
        if ranking == "popularity":
            self._counters.add("home_pages", source="popularity", why="experiment")
            return ()
        if recommender is None:
            why = "model-broken" if served.recommender_problem else "no-model"
            self._counters.add("home_pages", source="popularity", why=why)
            return ()
        recent = [
            Watched(title_id=item.title_id, completion=item.completion, watched_at=item.watched_at)
            for item in profile.recent
        ]
        recommended = recommender.recommend(viewer_id=profile.viewer_id, recent=recent, region_id=region_id)
        if not recommended.titles:
            self._counters.add("home_pages", source="popularity", why="viewer-unknown")
            return ()
        self._counters.add("home_pages", source=ranking, titles=recommended.origin)
        return recommended.titles

    def _wire_rows(self, served: Served, viewer_id: str, rows: Sequence[PageRow]) -> list[HomeRow]:
        title_ids = [item.title.title_id for row in rows for item in row.titles]
        affinities = served.recommender.affinity(viewer_id, title_ids) if served.recommender else {}
        return [
            HomeRow(
                row_id=row.row_id,
                name=row.name,
                titles=[_wire_title(item, affinities.get(item.title.title_id)) for item in row.titles],
            )
            for row in rows
        ]


def _wire_title(item: PlacedTitle, affinity: float | None) -> HomeTitle:
    return HomeTitle(
        title=card_of(item.title),
        reason=item.text,
        because_title_id=item.because_title_id,
        match_percent=None if affinity is None else match_percent(affinity),
        resume_position_s=item.resume_position_s,
    )


def match_percent(affinity: float) -> int:
    """An affinity of 1 to 5 as people read it, 0 to 100."""
    return round(100 * (affinity - LOWEST_AFFINITY) / (HIGHEST_AFFINITY - LOWEST_AFFINITY))


def _impression_items(rows: Sequence[PageRow]) -> list[ImpressionItem]:
    return [
        ImpressionItem(
            title_id=item.title.title_id,
            row=row.row_id,
            position=position,
            propensity=item.propensity,
            reason=item.reason,
        )
        for row in rows
        for position, item in enumerate(row.titles)
    ]
