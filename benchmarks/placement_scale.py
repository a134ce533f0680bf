"""How long the title-level planner takes for a fleet, and how far it is from the linear program's bound on a sample.

Usage: ``python benchmarks/placement_scale.py --titles 10000 --edges 10000 --audit 20``. The fleet is drawn: edges of 2
to 20 % of the catalogue in 50 regions, which hold yesterday's plan of a demand that has moved since, and may take 2 %
of the catalogue a night.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np

from ml.placement.audit import audit
from ml.placement.fleet import EdgeTask, choose_titles, plan_fleet

REGIONS = 50
NIGHT_SHARE = 0.02


def draw_tasks(titles: int, edges: int, size_bytes: np.ndarray, seed: int = 5) -> Iterator[EdgeTask]:
    """Edges with a demand of their region and a taste of their own."""
    rng = np.random.default_rng(seed)
    world = np.arange(1, titles + 1) ** -0.8
    regions = [world * rng.lognormal(0, 0.8, titles) for _ in range(REGIONS)]
    yesterday = [
        choose_titles(
            EdgeTask(
                value=region * rng.lognormal(0, 0.3, titles) * size_bytes,
                held=np.zeros(titles, dtype=np.bool_),
                capacity_bytes=0.2 * size_bytes.sum(),
            ),
            size_bytes,
        ).placed
        for region in regions
    ]
    for edge in range(edges):
        capacity = rng.uniform(0.02, 0.2) * size_bytes.sum()
        value = regions[edge % REGIONS] * rng.lognormal(0, 0.2, titles) * size_bytes
        held = yesterday[edge % REGIONS] & (rng.random(titles) < capacity / (0.2 * size_bytes.sum()))
        yield EdgeTask(
            value=value, held=held, capacity_bytes=capacity, fill_budget_bytes=NIGHT_SHARE * size_bytes.sum()
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--titles", type=int, default=10_000)
    parser.add_argument("--edges", type=int, default=10_000)
    parser.add_argument("--audit", type=int, default=20, help="edges whose bound is computed")
    arguments = parser.parse_args()
    size_bytes = np.random.default_rng(4).lognormal(0, 0.6, arguments.titles) * 4e9
    drawing = time.process_time()
    for _ in draw_tasks(arguments.titles, arguments.edges, size_bytes):
        pass
    started = time.process_time()
    tasks = draw_tasks(arguments.titles, arguments.edges, size_bytes)
    priced = sum(made.fill_price > 0 for made in plan_fleet(tasks, size_bytes))
    both = time.process_time() - started
    print(
        f"{arguments.titles} titles x {arguments.edges} edges: {both - (started - drawing):.1f} CPU s to plan"
        f" (and {started - drawing:.1f} to draw); the fill budget bound on {priced} edges"
    )
    sample = list(draw_tasks(arguments.titles, arguments.audit, size_bytes))
    gaps = audit(sample, size_bytes)
    print(f"under the LP bound on {arguments.audit} edges: mean {gaps.mean:.4%}, worst {gaps.worst:.4%}")


if __name__ == "__main__":
    main()
