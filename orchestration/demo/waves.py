"""The demo's viewers: planned once, played twice, and what they experienced."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

from orchestration.demo.options import PLACED, PULL_ONLY
from orchestration.demo.summary import Comparison, ExperienceLine
from orchestration.edge.topology import Network
from orchestration.sample import NetworkTrace, PlannedSession, World, plan_wave
from orchestration.sample.wave import PlayedSession, ServingAddresses, WaveOutcome, outcome_of, play_wave
from orchestration.settings import Settings

LATEST_START = dt.time(22, 30)
"""In UTC: the starts of a wave are spread over an hour, and its last sessions end before the day does."""


def wave_start(now: dt.datetime) -> dt.datetime:
    """When a wave starts: now, or earlier where it would go on into a day that nothing is built for yet."""
    today = now.astimezone(dt.UTC)
    return min(today, dt.datetime.combine(today.date(), LATEST_START, dt.UTC))


class Waves:
    """Plans and plays waves, and keeps the outcome of each by name.

    Attributes:
        experience: By wave and region.
        sessions_played: Sessions that were played to their planned end or failed in playing, over all waves.
        beats_lost: Heartbeats that the collector had not taken when their session ended, over all waves.
    """

    def __init__(self, settings: Settings, network: Network, traces: Sequence[NetworkTrace]) -> None:
        self._network = network
        self._traces = traces
        self._addresses = ServingAddresses(
            control_url=settings.control_url,
            collector_url=settings.collector_url,
            origin_url=settings.origin_url,
            edge_urls=settings.edge_urls,
        )
        self._played: dict[str, list[PlayedSession]] = {}
        self.experience: list[ExperienceLine] = []
        self.sessions_played = 0
        self.beats_lost = 0

    def plan(self, world: World, sessions: int, *, seed: int, durations_s: Mapping[str, float]) -> list[PlannedSession]:
        """Draw who watches what in the coming hour."""
        start = wave_start(dt.datetime.now(dt.UTC))
        return plan_wave(world, sessions, seed, start, durations_s=durations_s, traces=self._traces)

    def play(
        self, wave: Sequence[PlannedSession], *, seed: int, on_played: Callable[[int, int], None]
    ) -> list[PlayedSession]:
        """Play a wave."""
        played = play_wave(
            wave,
            network=self._network,
            traces=self._traces,
            addresses=self._addresses,
            seed=seed,
            on_played=on_played,
        )
        reports = [session.report for session in played if session.report is not None]
        self.sessions_played += len(reports)
        self.beats_lost += sum(report.beats_lost for report in reports)
        return played

    def keep(self, name: str, played: Sequence[PlayedSession]) -> WaveOutcome:
        """Keep what became of a wave, over all and by region."""
        self._played[name] = list(played)
        for region in self._network.regions:
            own = [session for session in played if session.planned.region_id == region.region_id]
            if own:
                self.experience.append(_experience_line(name, region.region_id, outcome_of(own)))
        return outcome_of(played)

    def compare(self, figure: str) -> Comparison:
        """One figure of both waves, over the sessions that were played in both."""
        pull_only, placed = paired(self._played[PULL_ONLY], self._played[PLACED])
        return Comparison(
            pull_only=round(getattr(outcome_of(pull_only), figure), 4),
            placed=round(getattr(outcome_of(placed), figure), 4),
        )


def paired(
    one: Sequence[PlayedSession], other: Sequence[PlayedSession]
) -> tuple[list[PlayedSession], list[PlayedSession]]:
    """The sessions of two plays of one wave that both started: a session that failed in one is left out of both."""
    pairs = [
        (left, right)
        for left, right in zip(one, other, strict=True)
        if all(session.report is not None and session.report.startup_s is not None for session in (left, right))
    ]
    return [left for left, _ in pairs], [right for _, right in pairs]


def first_day(wave: Sequence[PlannedSession]) -> dt.date:
    """The first UTC day on which a session of the wave begins."""
    return min(session.starts_at for session in wave).date()


def _experience_line(wave: str, region_id: str, outcome: WaveOutcome) -> ExperienceLine:
    return ExperienceLine(
        wave=wave,
        region_id=region_id,
        sessions=outcome.sessions,
        startup_s_median=outcome.startup_s_median,
        startup_s_p95=outcome.startup_s_p95,
        rebuffer_ratio=outcome.rebuffer_ratio,
        mean_bitrate_bps=outcome.mean_bitrate_bps,
        edge_hit_ratio=outcome.edge_hit_ratio,
        local_start_ratio=outcome.local_start_ratio,
    )
