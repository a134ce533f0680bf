"""The player's own policy in the shape that the ABR scoreboard calls.

The scoreboard hands a context to ``Policy`` before each request and, while a download runs, four times a second to
``Policy.abandon``. What decides is ``player_sdk.abr``: the object that live sessions use; here are only the words
translated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from player_sdk.abr import (
    Abr,
    AbrState,
    BolaAbr,
    DefaultAbr,
    DownloadSample,
    QualityWeights,
    RobustMpcAbr,
    ThroughputAbr,
)


class Policy:
    """One session of the player's default policy."""

    make: Callable[[], Abr] = DefaultAbr

    def __init__(self) -> None:
        self._abr = type(self).make()
        self._seen = 0
        self._sizes: list[list[float]] | None = None

    def __call__(self, ctx: Any) -> tuple[int, float]:
        """The rung to ask for, and the seconds to wait before."""
        self._observe(ctx)
        decision = self._abr.choose(self._state(ctx))
        return decision.rung, decision.wait_s

    def abandon(self, ctx: Any, level: int, got_bytes: float, elapsed_s: float) -> int | None:
        """The lower rung to ask for instead of the running download, None to go on."""
        self._observe(ctx)
        return self._abr.abandon(self._state(ctx), level, got_bytes, elapsed_s)

    def _observe(self, ctx: Any) -> None:
        for sample in ctx.history[self._seen :]:
            self._abr.observe(
                DownloadSample(
                    rung=sample.level,
                    size_bytes=sample.bytes,
                    duration_s=sample.seconds,
                    abandoned=sample.abandoned,
                )
            )
        self._seen = len(ctx.history)

    def _state(self, ctx: Any) -> AbrState:
        if self._sizes is None:
            self._sizes = ctx.sizes.tolist()
        return AbrState(
            segment_index=ctx.index,
            segment_count=ctx.total,
            segment_duration_s=ctx.chunk_s,
            bitrates_bps=[kbps * 1000.0 for kbps in ctx.kbps],
            sizes_bytes=self._sizes,
            qualities=[float(quality) for quality in ctx.quality],
            buffer_s=ctx.buffer_s,
            buffer_max_s=ctx.cap_s,
            last_rung=ctx.last_level,
            weights=QualityWeights(rebuffer_weight=ctx.mu, switch_weight=ctx.lam),
        )


class Throughput(Policy):
    """The SDK's throughput rule, as a reference."""

    make = ThroughputAbr


class Bola(Policy):
    """The SDK's BOLA, as a reference."""

    make = BolaAbr


class RobustMpc(Policy):
    """The SDK's RobustMPC, as a reference."""

    make = RobustMpcAbr
