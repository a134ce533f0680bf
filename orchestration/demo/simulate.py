"""`matinee simulate`: one more wave of sample viewers against the serving plane that is up."""

from __future__ import annotations

import dataclasses

from orchestration.demo.durations import master_durations_s, shown_durations_s
from orchestration.demo.sample_data import build_world, network_traces
from orchestration.demo.state import DemoStateError, load_state
from orchestration.demo.waves import Waves
from orchestration.edge.topology import read_network
from orchestration.settings import read_settings
from orchestration.store import LocalStore


def simulate_wave(*, sessions: int, seed: int) -> dict[str, float]:
    """Play a wave and return what its players measured; beats and impressions enter the log as always.

    Raises:
        DemoStateError: There is no world yet.
    """
    settings = read_settings()
    state = load_state(settings.home)
    if state is None or not state.media_title_ids:
        raise DemoStateError(f"{settings.home} holds no world yet; run `make demo` first")
    network = read_network()
    store = LocalStore(settings.store_folder)
    world = build_world(state, network, state.media_title_ids)
    durations_s = shown_durations_s(world, master_durations_s(store, settings.masters_folder))
    waves = Waves(settings, network, network_traces(state.seed))
    wave = waves.plan(world, sessions, seed=seed, durations_s=durations_s)
    played = waves.play(wave, seed=seed, on_played=lambda done, total: None)
    return dataclasses.asdict(waves.keep("simulated", played))
