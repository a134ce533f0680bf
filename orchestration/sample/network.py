"""The emulated last mile: bandwidth over time for each network class, and a table of everything that is emulated.

Traces are made up by seed, or read from a folder of measured ones. They are played from their first step and repeated
for ever by whoever advances a clock along them; nothing here sleeps.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestration.edge.topology import Network
from orchestration.sample.catalogue import NETWORK_CLASSES
from orchestration.sample.errors import SampleWorldError

TRACES_PER_CLASS = 8
TRACE_S = 240
STEP_S = 2.0
SLOW_BELOW_BPS = 2e6
MIXED_BELOW_BPS = 10e6

_COLUMNS = ["duration_s", "bandwidth_kbps", "latency_ms"]
_DIP_BPS = 60_000


@dataclass(frozen=True, kw_only=True)
class _ClassShape:
    """How the built-in traces of a class behave."""

    low_bps: float
    high_bps: float
    sigma: float
    dip_chance: float
    latency_s: tuple[float, float]


_SHAPES = {
    "slow": _ClassShape(low_bps=0.4e6, high_bps=2e6, sigma=0.30, dip_chance=0.04, latency_s=(0.060, 0.120)),
    "mixed": _ClassShape(low_bps=1.5e6, high_bps=8e6, sigma=0.25, dip_chance=0.015, latency_s=(0.030, 0.060)),
    "fast": _ClassShape(low_bps=12e6, high_bps=60e6, sigma=0.12, dip_chance=0.0, latency_s=(0.008, 0.025)),
}


@dataclass(frozen=True, kw_only=True)
class NetworkTrace:
    """Bandwidth over time.

    Attributes:
        trace_id: Its name.
        network_class: ``slow``, ``mixed`` or ``fast``.
        steps: (duration_s, bandwidth_bps), repeated for ever.
        latency_s: One way, from the viewer to the nearest network.
    """

    trace_id: str
    network_class: str
    steps: tuple[tuple[float, float], ...]
    latency_s: float

    @property
    def duration_s(self) -> float:
        """Length before it repeats."""
        return sum(duration_s for duration_s, _ in self.steps)

    @property
    def mean_bandwidth_bps(self) -> float:
        """Mean over time."""
        return _mean_bandwidth_bps(self.steps)


def make_traces(seed: int, *, per_class: int = TRACES_PER_CLASS) -> tuple[NetworkTrace, ...]:
    """Make traces up for every network class.

    The rate wanders in logarithms around a level of its own and is pulled back to it, within the bounds of its class;
    slow and mixed ones dip, now and then, to next to nothing for some seconds.
    """
    traces = []
    for class_index, network_class in enumerate(NETWORK_CLASSES):
        shape = _SHAPES[network_class]
        for number in range(per_class):
            rng = np.random.default_rng([seed, 4, class_index, number])
            level = rng.uniform(np.log(shape.low_bps), np.log(shape.high_bps))
            rate = level
            dip_steps = 0
            steps = []
            for _ in range(int(TRACE_S / STEP_S)):
                rate += 0.3 * (level - rate) + rng.normal(0.0, shape.sigma)
                if dip_steps == 0 and rng.random() < shape.dip_chance:
                    dip_steps = int(rng.integers(1, 5))
                dipping = dip_steps > 0
                dip_steps = max(dip_steps - 1, 0)
                bandwidth_bps = _DIP_BPS if dipping else np.clip(np.exp(rate), shape.low_bps, shape.high_bps)
                steps.append((STEP_S, float(round(bandwidth_bps))))
            traces.append(
                NetworkTrace(
                    trace_id=f"{network_class}-{number}",
                    network_class=network_class,
                    steps=tuple(steps),
                    latency_s=round(float(rng.uniform(*shape.latency_s)), 4),
                )
            )
    return tuple(traces)


def read_traces(folder: Path) -> tuple[NetworkTrace, ...]:
    """Read measured traces: one CSV each, ``duration_s,bandwidth_kbps,latency_ms``; the mean rate gives the class.

    Raises:
        SampleWorldError: The folder holds no trace, or a file is of another form.
    """
    traces = tuple(_read_trace(path) for path in sorted(folder.glob("*.csv")))
    if not traces:
        raise SampleWorldError(f"{folder} holds no trace; put files with columns {','.join(_COLUMNS)} there")
    return traces


def traces_by_class(traces: Sequence[NetworkTrace]) -> dict[str, list[NetworkTrace]]:
    """The traces of each class.

    Raises:
        SampleWorldError: A class has none.
    """
    sorted_out: dict[str, list[NetworkTrace]] = {name: [] for name in NETWORK_CLASSES}
    for trace in traces:
        sorted_out[trace.network_class].append(trace)
    empty = [name for name, own in sorted_out.items() if not own]
    if empty:
        raise SampleWorldError(f"there is no trace for network class {', '.join(empty)}; add some or use made-up ones")
    return sorted_out


def describe_emulation(network: Network, traces: Sequence[NetworkTrace]) -> str:
    """Everything about distance and bandwidth that is emulated and not real, as Markdown tables."""
    lines = ["| edge | region | to its viewers | to the origin | disk |", "|---|---|---|---|---|"]
    lines += [
        f"| {edge.edge_id} | {edge.region_id} | {_link(edge.viewer_latency_s, edge.viewer_rate_bps)} "
        f"| {_link(edge.origin_latency_s, edge.origin_rate_bps)} | {edge.capacity_share:.0%} of the catalogue |"
        for edge in network.edges
    ]
    lines += ["", "| region | time zone | network profile | off-peak window |", "|---|---|---|---|"]
    lines += [
        f"| {region.region_id} | {region.time_zone} | {region.network_profile} "
        f"| {region.fill_start_hour:02d}-{region.fill_end_hour:02d} h local |"
        for region in network.regions
    ]
    lines += ["", "| viewers' links | traces | mean rate | lowest rate | latency |", "|---|---|---|---|---|"]
    for name in NETWORK_CLASSES:
        own = [trace for trace in traces if trace.network_class == name]
        if not own:
            continue
        mean_bps = float(np.mean([trace.mean_bandwidth_bps for trace in own]))
        lowest_bps = min(rate for trace in own for _, rate in trace.steps)
        latency_s = float(np.mean([trace.latency_s for trace in own]))
        lines.append(
            f"| {name} | {len(own)} | {mean_bps / 1e6:.1f} Mbit/s | {lowest_bps / 1e6:.2f} Mbit/s "
            f"| {latency_s * 1000:.0f} ms |"
        )
    return "\n".join(lines)


def _link(latency_s: float, rate_bps: float) -> str:
    return f"{latency_s * 1000:.0f} ms, {rate_bps / 1e6:.0f} Mbit/s"


def _read_trace(path: Path) -> NetworkTrace:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames is None or not set(_COLUMNS) <= set(reader.fieldnames):
            raise SampleWorldError(f"{path} needs the columns {','.join(_COLUMNS)}, not {reader.fieldnames}")
        try:
            rows = [tuple(float(row[column]) for column in _COLUMNS) for row in reader]
        except (TypeError, ValueError) as error:
            raise SampleWorldError(f"{path}: a value is no number ({error})") from error
    steps = tuple((duration_s, kbps * 1000) for duration_s, kbps, _ in rows if duration_s > 0)
    if not steps or not any(bandwidth_bps > 0 for _, bandwidth_bps in steps):
        raise SampleWorldError(f"{path} has no step with a duration and a bandwidth")
    return NetworkTrace(
        trace_id=path.stem,
        network_class=_class_of(_mean_bandwidth_bps(steps)),
        steps=steps,
        latency_s=float(np.mean([latency_ms for _, _, latency_ms in rows])) / 1000,
    )


def _class_of(mean_bps: float) -> str:
    if mean_bps < SLOW_BELOW_BPS:
        return "slow"
    return "mixed" if mean_bps < MIXED_BELOW_BPS else "fast"


def _mean_bandwidth_bps(steps: Sequence[tuple[float, float]]) -> float:
    return sum(duration_s * bandwidth_bps for duration_s, bandwidth_bps in steps) / sum(step[0] for step in steps)
