"""The heartbeat collector: takes batches of beats and answers when they are on disk.

A client that got 202 may forget its beats; one that got 503 keeps them and comes back. What arrives twice is stored
twice and counted once downstream, by key. Run it with ``python -m playback_api.serve collector``.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.exceptions import ClientException, HTTPException, ServiceUnavailableException
from litestar.openapi import OpenAPIConfig
from litestar.types import Scope

from playback_api.events import (
    BatchTooLarge,
    BatchUnreadable,
    Beat,
    GroupCommitLog,
    LogBusy,
    LogClosed,
    LogWriteError,
    RecordKind,
    RecordTooLarge,
    RejectedBeat,
    SegmentLogWriter,
    encode_beats,
    read_batch,
)
from playback_api.events.intake import Encoding
from playback_api.framework import MsgspecLitestar
from playback_api.profile import ProfileFeed, SqliteProfileStore, progress_of
from playback_api.settings import CollectorSettings

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 4 * 1024 * 1024
RETRY_AFTER_S = 2
REMEMBERED_KEYS = 200_000

# navigator.sendBeacon of a browser player can only send text/plain without a preflight
ENCODINGS: dict[str, Encoding] = {
    "": "json",
    "application/json": "json",
    "text/plain": "json",
    "application/msgpack": "msgpack",
    "application/x-msgpack": "msgpack",
    "application/vnd.msgpack": "msgpack",
}


class BeatsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch: all but the rejected beats are on disk."""

    accepted: int
    rejected: list[RejectedBeat]


@dataclass(kw_only=True)
class CollectorCounters:
    """What the collector counts itself; the log and the profile feed keep their own counts."""

    batches: int = field(default=0, metadata={"help": "Batches answered with 202."})
    batches_unreadable: int = field(default=0, metadata={"help": "Batches refused as a whole."})
    batches_not_stored: int = field(default=0, metadata={"help": "Batches answered with 503."})
    beats_accepted: int = field(default=0, metadata={"help": "Beats stored, repeated ones included."})
    beats_rejected: int = field(default=0, metadata={"help": "Beats refused alone."})
    beats_repeated: int = field(default=0, metadata={"help": "Beats whose key is known, within what is remembered."})


class RecentKeys:
    """The keys of the beats stored last, to count repetitions; nothing is dropped for being here."""

    def __init__(self, limit: int = REMEMBERED_KEYS) -> None:
        self._limit = limit
        self._keys: OrderedDict[tuple[str, int, int], None] = OrderedDict()

    def remember(self, beats: Iterable[Beat]) -> int:
        """Take in stored beats; returns how many were known."""
        repeated = 0
        for beat in beats:
            key = (beat.session_id, beat.boot, beat.seq)
            if key in self._keys:
                repeated += 1
                self._keys.move_to_end(key)
            else:
                self._keys[key] = None
        while len(self._keys) > self._limit:
            self._keys.popitem(last=False)
        return repeated


@dataclass(frozen=True, kw_only=True)
class Collector:
    """The work behind the endpoints."""

    log: GroupCommitLog
    feed: ProfileFeed
    clock: Callable[[], dt.datetime]
    counters: CollectorCounters = field(default_factory=CollectorCounters)
    keys: RecentKeys = field(default_factory=RecentKeys)

    async def take(self, body: bytes, encoding: Encoding) -> BeatsAnswer:
        """Store a batch; returns after its fsync.

        Raises:
            BatchUnreadable, BatchTooLarge: Nothing of it can be taken.
            LogBusy, LogWriteError, LogClosed: It is not stored; the client should come back.
            RecordTooLarge: Its beats together exceed what one record may hold.
        """
        received_at = self.clock()
        intake = read_batch(body, encoding, received_at=received_at)
        self.counters.beats_rejected += len(intake.rejected)
        if intake.beats:
            await self.log.append(RecordKind.BEATS, encode_beats(intake.beats, received_at))
            self.counters.beats_accepted += len(intake.beats)
            self.counters.beats_repeated += self.keys.remember(intake.beats)
            self.feed.offer(progress_of(intake.beats, received_at))
        self.counters.batches += 1
        return BeatsAnswer(accepted=len(intake.beats), rejected=intake.rejected)

    def metrics_text(self) -> str:
        """All counters in Prometheus' text format."""
        rows = [(item.name, item.metadata["help"], getattr(self.counters, item.name)) for item in fields(self.counters)]
        rows += [
            ("commits", "Commits stored, one fsync each.", self.log.commits),
            ("commits_failed", "Commits that could not be stored.", self.log.failed_commits),
            ("log_bytes", "Bytes stored in the event log.", self.log.stored_bytes),
            ("profile_updates", "Progress written to the live profiles.", self.feed.recorded),
            ("profile_updates_dropped", "Progress that the live profiles miss.", self.feed.dropped),
        ]
        return "".join(
            f"# HELP matinee_collector_{name}_total {text}\n"
            f"# TYPE matinee_collector_{name}_total counter\n"
            f"matinee_collector_{name}_total {value}\n"
            for name, text, value in rows
        )


@post("/v1/beats", status_code=202, operation_id="PostBeats", tags=["beats"])
async def post_beats(request: Request[None, None, State], state: State) -> BeatsAnswer:
    """Take a ``BeatBatch`` in JSON or msgpack; 202 means that all but the rejected beats are on disk."""
    collector: Collector = state.collector
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = ENCODINGS.get(content_type)
    if encoding is None:
        collector.counters.batches_unreadable += 1
        raise HTTPException(status_code=415, detail=f"{content_type} is not taken; send application/json or msgpack")
    try:
        return await collector.take(await request.body(), encoding)
    except BatchUnreadable as error:
        collector.counters.batches_unreadable += 1
        raise ClientException(detail=str(error)) from error
    except (BatchTooLarge, RecordTooLarge) as error:
        collector.counters.batches_unreadable += 1
        raise HTTPException(status_code=413, detail=str(error)) from error
    except (LogBusy, LogWriteError, LogClosed) as error:
        collector.counters.batches_not_stored += 1
        logger.warning("a batch was not stored: %s", error)
        raise ServiceUnavailableException(
            detail=f"nothing of the batch was stored ({error}); send it again",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        ) from error


@get("/system/health", operation_id="CollectorHealth", tags=["system"])
async def health() -> dict[str, str]:
    """Alive. Whether beats can be stored, the counters say."""
    return {"status": "ok"}


@get("/metrics", operation_id="CollectorMetrics", tags=["system"], media_type="text/plain")
async def metrics(state: State) -> Response[str]:
    """Counters in Prometheus' text format."""
    collector: Collector = state.collector
    return Response(collector.metrics_text(), media_type="text/plain; version=0.0.4")


def create_collector_app(
    settings: CollectorSettings,
    *,
    open_log: Callable[[CollectorSettings], GroupCommitLog] | None = None,
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Litestar:
    """The collector as an ASGI application.

    Args:
        settings: Where log and profiles are.
        open_log: Makes the log that beats are stored in; tests put a failing disk behind it.
        clock: Tells when a batch was received, UTC.
    """

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        log = (open_log or _open_log)(settings)
        feed = ProfileFeed(lambda: SqliteProfileStore(settings.profile_path))
        log.start()
        feed.start()
        app.state.collector = Collector(log=log, feed=feed, clock=clock)
        try:
            yield
        finally:
            await log.close()
            await feed.close()

    return MsgspecLitestar(
        route_handlers=[post_beats, health, metrics],
        lifespan=[lifespan],
        request_max_body_size=MAX_BODY_BYTES,
        cors_config=CORSConfig(allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["content-type"]),
        openapi_config=OpenAPIConfig(title="Matinee heartbeat collector", version="1"),
        after_exception=[_log_unexpected],
        logging_config=None,  # the process decides how logs look, see serve
    )


async def _log_unexpected(error: Exception, scope: Scope) -> None:
    if not isinstance(error, HTTPException):
        logger.error("a request to %s failed", scope["path"], exc_info=error)


def _open_log(settings: CollectorSettings) -> GroupCommitLog:
    return GroupCommitLog(SegmentLogWriter(settings.event_log_folder, settings.writer_name))
