"""The control API: playback, steering, catalogue, home, search, profiles and what operators need.

Here the parts are put together and started; what each does stands in ``domain/<noun>``. The app answers from the
published snapshot, what the edges report and the live profiles. It never opens the warehouse.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.middleware import DefineMiddleware

from playback_api.domain.addresses import CurrentAddresses
from playback_api.domain.catalogue.controllers import CatalogueController
from playback_api.domain.catalogue.services import CatalogueService
from playback_api.domain.counters import Counters
from playback_api.domain.errors import ApiError, answer_error
from playback_api.domain.home.controllers import HomeController
from playback_api.domain.home.impressions import EventLog, ImpressionRecorder
from playback_api.domain.home.recommender import open_recommender
from playback_api.domain.home.services import HomeService
from playback_api.domain.keys.controllers import KeyController
from playback_api.domain.keys.derivation import ContentKeys
from playback_api.domain.keys.packages import ProtectedPackages
from playback_api.domain.keys.services import KeyService
from playback_api.domain.playback.controllers import PlaybackController
from playback_api.domain.playback.services import PlaybackService
from playback_api.domain.playback.tokens import TokenSigner
from playback_api.domain.profiles.controllers import ProfileController
from playback_api.domain.profiles.services import ProfileService
from playback_api.domain.search.controllers import SearchController
from playback_api.domain.search.services import SearchService
from playback_api.domain.served import Recommender, ServedSnapshots
from playback_api.domain.steering.controllers import SteeringController
from playback_api.domain.steering.fleet import EdgeFleet
from playback_api.domain.steering.services import PathwayRouter, SteeringService
from playback_api.domain.system.admission import MAX_IN_FLIGHT, Admission
from playback_api.domain.system.background import BackgroundWork
from playback_api.domain.system.controllers import SystemController
from playback_api.domain.system.network import NetworkOverview
from playback_api.domain.system.services import SystemService
from playback_api.events import GroupCommitLog, SegmentLogWriter
from playback_api.framework import MsgspecLitestar
from playback_api.openapi import openapi_config
from playback_api.profile import ProfileStore, SqliteProfileStore
from playback_api.resilience import LoadShedder
from playback_api.settings import ControlSettings
from playback_api.snapshot import SnapshotReader
from playback_api.web.controllers import PageController

EDGE_TIMEOUT_S = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ControlPorts:
    """Where a test steps in. Each default is what runs in production.

    Attributes:
        clock: Now, UTC.
        monotonic: Seconds that never run backwards.
        edge_transport: Carries the calls to the edges.
        open_profiles, open_event_log: Open the stores when the server starts; None opens what the settings name.
        open_recommender: Opens the model of a snapshot.
    """

    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    monotonic: Callable[[], float] = time.monotonic
    edge_transport: httpx.AsyncBaseTransport | None = None
    open_profiles: Callable[[], ProfileStore] | None = None
    open_event_log: Callable[[], EventLog] | None = None
    open_recommender: Callable[[Path], Recommender] = open_recommender


DEFAULT_PORTS = ControlPorts()


def create_control_app(settings: ControlSettings, ports: ControlPorts = DEFAULT_PORTS) -> Litestar:
    """Build the control API. Nothing is opened before the server starts.

    Args:
        settings: Folders, addresses and intervals.
        ports: The boundaries that tests replace.
    """
    counters = Counters()
    shedder = LoadShedder(MAX_IN_FLIGHT)
    background = BackgroundWork()
    reader = SnapshotReader(settings.store_folder, clock=ports.clock)
    snapshots = ServedSnapshots(
        reader,
        ports.open_recommender,
        counters,
        addresses=CurrentAddresses(edge_urls=settings.edge_urls, origin_url=settings.origin_url),
    )
    client = httpx.AsyncClient(transport=ports.edge_transport, timeout=EDGE_TIMEOUT_S)
    fleet = EdgeFleet(client, counters, poll_interval_s=settings.inventory_poll_s, clock=ports.monotonic)
    router = PathwayRouter(fleet, counters)
    signer = TokenSigner(settings.secret)
    profiles = ProfileService(ports.open_profiles or (lambda: SqliteProfileStore(settings.profile_path)), counters)
    impressions = ImpressionRecorder(
        ports.open_event_log
        or (lambda: GroupCommitLog(SegmentLogWriter(settings.event_log_folder, settings.writer_name))),
        counters,
    )
    steering = SteeringService(snapshots, router, signer, counters, public_url=settings.public_url, clock=ports.clock)
    playback = PlaybackService(
        snapshots,
        router,
        steering,
        profiles,
        signer,
        counters,
        beats_url=settings.beats_url,
        beat_interval_s=settings.beat_interval_s,
        clock=ports.clock,
    )
    keys = KeyService(
        signer,
        ContentKeys(settings.secret),
        ProtectedPackages(settings.store_folder),
        counters,
        clock=ports.clock,
        monotonic=ports.monotonic,
    )
    system = SystemService(snapshots, fleet, background, shedder, counters, monotonic=ports.monotonic)

    @asynccontextmanager
    async def run(_: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            profiles.open()
            stack.callback(profiles.close)
            stack.push_async_callback(client.aclose)
            impressions.start()
            stack.push_async_callback(impressions.close)
            await system.reload()
            stack.push_async_callback(background.stop)
            background.repeat("snapshot-poll", system.look_at_snapshot, interval_s=settings.snapshot_poll_s)
            background.repeat("inventory-poll", fleet.poll, interval_s=settings.inventory_poll_s)
            yield

    services: dict[str, object] = {
        "playback": playback,
        "keys": keys,
        "steering": steering,
        "catalogue": CatalogueService(snapshots, router, clock=ports.clock),
        "home": HomeService(snapshots, router, profiles, impressions, counters, clock=ports.clock),
        "search": SearchService(snapshots, router, counters, clock=ports.clock),
        "profiles": profiles,
        "system": system,
        "network": NetworkOverview(settings.store_folder),
    }
    return MsgspecLitestar(
        route_handlers=[
            PlaybackController,
            KeyController,
            SteeringController,
            CatalogueController,
            HomeController,
            SearchController,
            ProfileController,
            SystemController,
            PageController,
        ],
        dependencies={name: _provide(service) for name, service in services.items()},
        middleware=[DefineMiddleware(Admission, shedder=shedder, counters=counters)],
        exception_handlers={ApiError: answer_error},
        lifespan=[run],
        cors_config=CORSConfig(allow_origins=["*"]),
        openapi_config=openapi_config(),
        logging_config=None,
    )


def _provide(service: object) -> Provide:
    return Provide(lambda: service, sync_to_thread=False)
