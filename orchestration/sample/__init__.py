"""The sample world: the only home of made-up data.

It delivers what a real installation gets from elsewhere (a catalogue drop, viewers who watch, the links they watch
over), and it enters by the same doors: two Parquet files and the event log. Nothing in the platform imports it but the
command line, tests and benchmarks.
"""

from __future__ import annotations

from orchestration.sample.errors import SampleWorldError
from orchestration.sample.history import HistoryReport
from orchestration.sample.movielens import MovieLensWorld, read_movielens_world
from orchestration.sample.network import NetworkTrace, describe_emulation, make_traces, read_traces, traces_by_class
from orchestration.sample.viewers import PlannedSession, plan_wave
from orchestration.sample.world import SampleWorld, World, WorldSize, make_world

__all__ = [
    "HistoryReport",
    "MovieLensWorld",
    "NetworkTrace",
    "PlannedSession",
    "SampleWorld",
    "SampleWorldError",
    "World",
    "WorldSize",
    "describe_emulation",
    "make_traces",
    "make_world",
    "plan_wave",
    "read_movielens_world",
    "read_traces",
    "traces_by_class",
]
