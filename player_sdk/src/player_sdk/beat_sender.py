"""Sends heartbeats in batches, in the background, and keeps them while the collector cannot take them.

A beat is dropped from the queue only after the collector said 202 (which means: on disk) or that the batch is
unreadable. The queue is bounded; when it is full the oldest beat goes, and the report says how many were lost.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec

from player_sdk.background import BACKGROUND_EXTENSION, Background
from player_sdk.clock import Clock
from player_sdk.headers import retry_after_s
from player_sdk.heartbeat import MAX_BEATS_PER_BATCH, Beat, BeatEncoding, encode_batch
from player_sdk.spool import BeatSpool


@dataclass(frozen=True, kw_only=True)
class HeartbeatSettings:
    """How heartbeats are sent.

    Attributes:
        interval_s: Seconds between beats while playing; None takes the server's wish.
        max_delay_s: How long a beat may wait for others to share a request with; 0 sends each at once, infinity sends
            everything at the end.
        encoding: ``msgpack`` is smaller and cheaper, ``json`` easier to read on the wire.
        queue_limit: Beats kept in memory while the collector does not answer.
        backoff_s, backoff_max_s: Wait after a failed request, doubling; half of it is random.
        flush_s: How long the end of a session waits for the collector.
        spool_folder: Where beats that could not be sent are kept for the next player; None drops them.
        spool_limit_bytes: How large that folder may get.
    """

    interval_s: float | None = None
    max_delay_s: float = 0.0
    encoding: BeatEncoding = "msgpack"
    queue_limit: int = 2000
    backoff_s: float = 1.0
    backoff_max_s: float = 30.0
    flush_s: float = 10.0
    spool_folder: Path | None = None
    spool_limit_bytes: int = 4_000_000


_Key = tuple[str, int, int]
"""Session, boot and sequence number: what makes a beat the same beat."""


class _Refusal(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    reason: str = ""


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    accepted: int = 0
    rejected: list[_Refusal] = []


class BeatSender:
    """The queue of one player, shared by its sessions.

    Attributes:
        sent: Beats that the collector took.
        rejected: Beats that it refused one by one, or in a batch that it could not read.
        lost: Beats dropped because the queue was full, or never delivered and not spooled.
        last_error: Why the last request failed, None after a success.
    """

    def __init__(
        self, *, http: httpx.AsyncClient, clock: Clock, rng: random.Random, settings: HeartbeatSettings
    ) -> None:
        self._http = http
        self._clock = clock
        self._rng = rng
        self._settings = settings
        self._background = Background(clock)
        self._queue: deque[tuple[str, Beat]] = deque()
        self._sending = asyncio.Lock()
        self._oldest_s = math.inf
        self._not_before_s = -math.inf
        self._failures = 0
        self._spool = (
            BeatSpool(settings.spool_folder, limit_bytes=settings.spool_limit_bytes) if settings.spool_folder else None
        )
        self._unsent_by_file: dict[Path, set[_Key]] = {}
        self._put_by_session: Counter[str] = Counter()
        self._sent_by_session: Counter[str] = Counter()
        self.sent = 0
        self.rejected = 0
        self.lost = 0
        self.last_error: str | None = None

    @property
    def settings(self) -> HeartbeatSettings:
        """How it sends."""
        return self._settings

    @property
    def queued(self) -> int:
        """Beats that wait."""
        return len(self._queue)

    def put(self, beats_url: str, beat: Beat) -> None:
        """Queue a beat."""
        if len(self._queue) >= self._settings.queue_limit:
            _, dropped = self._queue.popleft()
            self.lost += not self._is_spooled(dropped)
        self._queue.append((beats_url, beat))
        self._put_by_session[beat.session_id] += 1
        self._oldest_s = min(self._oldest_s, self._clock.now())

    async def send_due(self) -> None:
        """Start sending in the background if something is due."""
        now_s = self._clock.now()
        full = len(self._queue) >= MAX_BEATS_PER_BATCH
        due = full or now_s >= self._oldest_s + self._settings.max_delay_s
        if self._queue and due and now_s >= self._not_before_s:
            await self._background.run(self._send_all)

    def result_of(self, session_id: str) -> tuple[int, int]:
        """How many beats of a session the collector took, and how many it did not; forgets the session."""
        put, sent = self._put_by_session.pop(session_id, 0), self._sent_by_session.pop(session_id, 0)
        return sent, max(0, put - sent)

    async def flush(self) -> bool:
        """Send all that is queued, waiting for a busy collector for at most ``flush_s``; True when nothing is left."""
        await self._background.join()
        deadline_s = self._clock.now() + self._settings.flush_s
        while self._queue:
            wait_s = max(0.0, self._not_before_s - self._clock.now())
            if self._clock.now() + wait_s > deadline_s:
                return False
            await self._clock.sleep(wait_s)
            await self._send_all()
        return True

    async def close(self) -> None:
        """Keep what could not be sent on disk, or count it as lost."""
        await self._background.cancel()
        left = [(beats_url, beat) for beats_url, beat in self._queue if not self._is_spooled(beat)]
        self._queue.clear()
        if self._spool is not None:
            left = self._spool.keep(left)
        self.lost += len(left)

    async def send_spooled(self) -> None:
        """Queue again what an earlier player could not send, as far as there is room."""
        if self._spool is not None:
            for path, beats in self._spool.read(max_beats=self._settings.queue_limit - len(self._queue)).items():
                self._unsent_by_file[path] = {_key_of(beat) for _, beat in beats}
                for beats_url, beat in beats:
                    self.put(beats_url, beat)
            await self.send_due()

    async def _send_all(self) -> None:
        """Send the queue; one caller at a time, or two would post the same beats."""
        async with self._sending:
            await self._send_queue()

    async def _send_queue(self) -> None:
        while self._queue:
            beats_url = self._queue[0][0]
            batch: list[Beat] = []
            for url, beat in self._queue:
                if url != beats_url or len(batch) == MAX_BEATS_PER_BATCH:
                    break
                batch.append(beat)
            if not await self._post(beats_url, batch):
                return
            sent = {id(beat) for beat in batch}
            while self._queue and id(self._queue[0][1]) in sent:
                self._queue.popleft()
            self._forget_spooled(batch)
        self._oldest_s = math.inf

    def _is_spooled(self, beat: Beat) -> bool:
        """Whether a file still keeps the beat."""
        return any(_key_of(beat) in keys for keys in self._unsent_by_file.values())

    def _forget_spooled(self, batch: Sequence[Beat]) -> None:
        """Remove the files whose last beats these were."""
        if self._spool is None or not self._unsent_by_file:
            return
        keys = {_key_of(beat) for beat in batch}
        for path, unsent in list(self._unsent_by_file.items()):
            unsent -= keys
            if not unsent:
                del self._unsent_by_file[path]
                self._spool.remove(path)

    async def _post(self, beats_url: str, batch: Sequence[Beat]) -> bool:
        """Whether the batch is dealt with."""
        body, content_type = encode_batch(batch, self._settings.encoding)
        try:
            response = await self._http.post(
                beats_url,
                content=body,
                headers={"Content-Type": content_type, "Accept": "application/json"},
                extensions={BACKGROUND_EXTENSION: True},
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._back_off(f"{type(error).__name__} {error}".strip(), None)
            return False
        if response.status_code in (408, 425, 429) or response.status_code >= 500:
            wanted_s = retry_after_s(response.headers, self._clock.utc_now())
            self._back_off(f"the collector answered {response.status_code}", wanted_s)
            return False
        self._failures = 0
        if response.is_success:
            refused = {refusal.index for refusal in _decode_answer(response.content).rejected}
            self.last_error = None if not refused else f"the collector refused {len(refused)} beats"
            self.rejected += len(refused)
            self.sent += len(batch) - len(refused)
            taken = (beat.session_id for i, beat in enumerate(batch) if i not in refused)
            # A session that has ended was forgotten when its report was made.
            self._sent_by_session.update(one for one in taken if one in self._put_by_session)
        else:
            self.last_error = f"the collector answered {response.status_code}: {response.text[:200]}"
            self.rejected += len(batch)
        return True

    def _back_off(self, reason: str, wanted_s: float | None) -> None:
        self.last_error = reason
        if wanted_s is None:
            wait_s = min(self._settings.backoff_max_s, self._settings.backoff_s * 2.0**self._failures)
            wanted_s = wait_s * (0.5 + 0.5 * self._rng.random())
        self._failures += 1
        self._not_before_s = self._clock.now() + max(wanted_s, 0.1)


def _key_of(beat: Beat) -> _Key:
    return beat.session_id, beat.boot, beat.seq


def _decode_answer(body: bytes) -> _Answer:
    try:
        return msgspec.json.decode(body, type=_Answer)
    except msgspec.DecodeError:
        return _Answer()  # a collector that says 202 and nothing more took all of it
