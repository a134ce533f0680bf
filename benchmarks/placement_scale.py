"""How long the planner of whole titles takes for a fleet, and its gap under the linear program's bound on a sample.

Usage: ``python -m benchmarks.placement_scale --titles 10000 --edges 10000 --audit 20``, from the project's folder. The
fleet is drawn: edges of 2 to 20 % of the catalogue in 50 regions, which hold yesterday's plan of a demand that has
moved since, and may take 2 % of the catalogue a night. Prints a table; its CPU seconds are those of the planning alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np

from ml.placement import gap
from ml.placement.fleet import choose_titles
from ml.placement.knapsack import Knapsack

REGIONS = 50
NIGHT_SHARE = 0.02
LARGEST_EDGE = 0.2


def draw_fleet(titles: int, edges: int, seed: int = 5) -> Iterator[Knapsack]:
    """Edges with a demand of their region and a taste of their own."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(0, 0.6, titles) * 4e9
    catalogue_bytes = size.sum()
    regions = np.arange(1, titles + 1) ** -0.8 * rng.lognormal(0, 0.8, (REGIONS, titles))
    empty = [
        Knapsack(
            worth=requests * rng.lognormal(0, 0.3, titles) * size,
            size_bytes=size,
            new_bytes=size,
            capacity_bytes=LARGEST_EDGE * catalogue_bytes,
        )
        for requests in regions
    ]
    yesterday = [choose_titles(knapsack) for knapsack in empty]
    for edge in range(edges):
        share = rng.uniform(0.02, LARGEST_EDGE)
        held = yesterday[edge % REGIONS] & (rng.random(titles) < share / LARGEST_EDGE)
        yield Knapsack(
            worth=regions[edge % REGIONS] * rng.lognormal(0, 0.2, titles) * size,
            size_bytes=size,
            new_bytes=np.where(held, 0.0, size),
            capacity_bytes=share * catalogue_bytes,
            fill_budget_bytes=NIGHT_SHARE * catalogue_bytes,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--titles", type=int, default=10_000)
    parser.add_argument("--edges", type=int, default=10_000)
    parser.add_argument("--audit", type=int, default=20, help="edges whose bound is computed")
    arguments = parser.parse_args()
    print("| titles | edges | CPU s to plan | ms an edge | budget binds | gap, mean | gap, worst |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    planning_s, tight, gaps = 0.0, 0, []
    for count, knapsack in enumerate(draw_fleet(arguments.titles, arguments.edges), start=1):
        started = time.process_time()
        placed = choose_titles(knapsack)
        planning_s += time.process_time() - started
        tight += knapsack.fill_bytes(placed) > 0.99 * knapsack.fill_budget_bytes
        if count <= arguments.audit:
            gaps.append(gap(knapsack, placed))
        if count in (100, 1000, arguments.edges):
            print(
                f"| {arguments.titles} | {count} | {planning_s:.1f} | {1000 * planning_s / count:.2f} "
                f"| {tight / count:.0%} | {np.mean(gaps):.4%} | {np.max(gaps):.4%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
