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


class Waves:
    """Plans and plays waves, and keeps the outcome of each by name.

    Attributes:
        outcomes: By the name of the wave.
        experience: By wave and region.
        sessions_played: Sessions that were played to their planned end or failed in playing, over all waves.
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
        self.outcomes: dict[str, WaveOutcome] = {}
        self.experience: list[ExperienceLine] = []
        self.sessions_played = 0

    def plan(self, world: World, sessions: int, *, seed: int, durations_s: Mapping[str, float]) -> list[PlannedSession]:
        """Draw who watches what in the coming hour."""
        now = dt.datetime.now(dt.UTC)
        return plan_wave(world, sessions, seed, now, durations_s=durations_s, traces=self._traces)

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
        self.sessions_played += sum(1 for session in played if session.report is not None)
        return played

    def keep(self, name: str, played: Sequence[PlayedSession]) -> WaveOutcome:
        """Keep what became of a wave, over all and by region."""
        self.outcomes[name] = outcome_of(played)
        for region in self._network.regions:
            own = [session for session in played if session.planned.region_id == region.region_id]
            if own:
                self.experience.append(_experience_line(name, region.region_id, outcome_of(own)))
        return self.outcomes[name]

    def compare(self, figure: str) -> Comparison:
        """One figure of both waves."""
        pull_only, placed = self.outcomes[PULL_ONLY], self.outcomes[PLACED]
        return Comparison(pull_only=round(getattr(pull_only, figure), 4), placed=round(getattr(placed, figure), 4))


def first_day(wave: Sequence[PlannedSession]) -> dt.date:
    """The first UTC day on which a session of the wave begins."""
    return min(session.starts_at for session in wave).date()


def beats_sent(played: Sequence[PlayedSession]) -> int:
    """How many beats the collector acknowledged."""
    return sum(session.report.beats_sent for session in played if session.report is not None)


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
