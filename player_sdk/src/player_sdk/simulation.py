"""Whole sessions without a network: a made-up title over an emulated line, on a virtual clock.

This is the player itself, not a model of it: the same session, loader, buffer and policy play against
``testing.FakeOrigin``. Same arguments, same result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from player_sdk.abr import Abr, DefaultAbr
from player_sdk.playback_settings import PlaybackSettings
from player_sdk.report import SessionReport
from player_sdk.testing import FakeEdge, FakeOrigin, FakeTitle, fake_player
from player_sdk.transports import Link, PathwayLink


async def simulate(
    link: Link,
    *,
    title: FakeTitle | None = None,
    abr: Callable[[], Abr] = DefaultAbr,
    edges: Mapping[str, FakeEdge | None] | None = None,
    pathways: Mapping[str, PathwayLink] | None = None,
    watch_s: float | None = None,
    patience_s: float | None = None,
    settings: PlaybackSettings | None = None,
    seed: int = 0,
) -> SessionReport:
    """Play one title over one line.

    Args:
        link: The viewer's line.
        title: What to play; 40 s at four rungs by default.
        abr: Makes the policy.
        edges: What stands where, best first; by default an empty edge and an origin.
        pathways: How far away they are, by host such as ``edge-1.test``.
        watch_s: Seconds of media after which the viewer stops.
        patience_s: Seconds without a first frame after which the viewer leaves.
        settings: How to play.
        seed: Jitter of retries.
    """
    title = title or FakeTitle()
    origin = FakeOrigin([title], edges=edges)
    async with fake_player(origin, link=link, pathways=pathways, abr=abr, settings=settings, seed=seed) as player:
        session = await player.play(title.title_id)
        return await session.watch(watch_s, patience_s=patience_s)
