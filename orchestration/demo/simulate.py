"""`matinee simulate`: one more wave of sample viewers against the serving plane that is up."""

from __future__ import annotations

import dataclasses

import httpx

from orchestration.demo.durations import master_durations_s, shown_durations_s
from orchestration.demo.home_lock import lock_viewers
from orchestration.demo.sample_data import build_world, network_traces
from orchestration.demo.state import DemoState, DemoStateError, load_state
from orchestration.demo.waves import Waves
from orchestration.edge.topology import read_network
from orchestration.sample.wave import WaveOutcome
from orchestration.services import ServiceError
from orchestration.settings import Settings, read_settings
from orchestration.store import LocalStore


def simulate_wave(*, sessions: int, seed: int) -> dict[str, float]:
    """Play a wave and return what its players measured; beats and impressions enter the log as always.

    Raises:
        DemoStateError: There is no world yet.
        ServiceError: Nothing serves it.
        HomeInUse: A demo plays the waves that it compares.
    """
    settings = read_settings()
    state = load_state(settings.home)
    if state is None or not state.media_title_ids:
        raise DemoStateError(f"{settings.home} holds no world yet; run `make demo` first")
    with lock_viewers(settings.home, alone=False):
        _require_serving(settings.control_url)
        return dataclasses.asdict(_play(settings, state, sessions=sessions, seed=seed))


def _play(settings: Settings, state: DemoState, *, sessions: int, seed: int) -> WaveOutcome:
    network = read_network()
    store = LocalStore(settings.store_folder)
    world = build_world(state, network, state.media_title_ids)
    durations_s = shown_durations_s(world, master_durations_s(store, settings.masters_folder))
    waves = Waves(settings, network, network_traces(state.seed))
    wave = waves.plan(world, sessions, seed=seed, durations_s=durations_s)
    played = waves.play(wave, seed=seed, on_played=lambda done, total: None)
    return waves.keep("simulated", played)


def _require_serving(control_url: str) -> None:
    try:
        answer = httpx.get(f"{control_url}/system/ready")
    except httpx.HTTPError:
        raise ServiceError(f"nothing answers at {control_url}; start `matinee up`") from None
    if answer.is_error:
        raise ServiceError(f"{control_url} serves nothing yet ({answer.text}); see `matinee doctor`")
