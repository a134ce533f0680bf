"""What it is worth that region and titles agree: the production back-test at several weights of the regions' totals.

python -m benchmarks.reconciliation --seeds 11,23,31
"""

from __future__ import annotations

import argparse
from unittest import mock

from benchmarks.signals_gain import NOW, demand_of
from ml.forecasting import FALLBACK, MODEL, backtest, reconcile
from ml.forecasting.breakdown import SUMS
from orchestration.sample import make_world

WEIGHTS = (0.0, 0.5, 1.0)


def main() -> None:
    """Print one row a seed, weight and method: errors of sums over the horizon, of titles and what they add up to."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", default="11,23,31")
    options.add_argument("--origins", type=int, default=5)
    chosen = options.parse_args()
    print("| seed | method | weight of the total | titles | regions | all regions | pinball |")
    print("|---|---|" + "---:|" * 5)
    for seed in (int(text) for text in chosen.seeds.split(",")):
        world = make_world(seed=seed, now=NOW, media_title_ids=["film"])
        demand, today = demand_of(world), world.window.end_day
        for weight in WEIGHTS:
            with mock.patch.object(reconcile, "TOTALS_WEIGHT", weight):
                result = backtest(demand, world.titles, today=today, origins=chosen.origins)
            sums = {(row[0], row[2]): row[3] for row in result.slices.iter_rows() if row[1] == SUMS}
            for method in (FALLBACK, MODEL):
                numbers = (
                    result.metric(method, "wape_total"),
                    sums[method, "a region"],
                    sums[method, "all regions"],
                    result.metric(method, "pinball"),
                )
                told = " | ".join(f"{number:.4f}" for number in numbers)
                print(f"| {seed} | {method} | {weight} | {told} |", flush=True)


if __name__ == "__main__":
    main()
