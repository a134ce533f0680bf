"""The back-test asset: is the model worth publishing?"""

# annotations stay real objects here: Dagster does not resolve a config class from a string
import math

import dagster as dg
import polars as pl

from ml.forecasting import DEFAULT_TRAINING, BacktestResult, ForecastChoice, backtest, choose
from ml.tracking import Tracker
from orchestration import taxonomy
from orchestration.defs.demand.forecast_store import BacktestRecord, store_backtest
from orchestration.defs.demand.inputs import DEMAND_KEY, MENTIONS_KEY, TITLES_KEY, DemandDay, read_inputs
from orchestration.defs.demand.plots import plot_examples, png_markdown
from orchestration.defs.demand.tables import markdown_table
from orchestration.resources.storage import MediaStorage
from orchestration.resources.tracking import ModelTracking
from orchestration.resources.warehouse import Warehouse

EXPERIMENT = "demand-forecast"


@dg.asset(
    key=["demand", "backtest"],
    group_name=taxonomy.DEMAND,
    owners=taxonomy.OWNERS[taxonomy.DEMAND],
    kinds={"python", "lightgbm", "mlflow"},
    deps=[DEMAND_KEY, TITLES_KEY, MENTIONS_KEY],
)
def demand_backtest(
    config: DemandDay, warehouse: Warehouse, storage: MediaStorage, tracking: ModelTracking
) -> dg.MaterializeResult:
    """How well each method would have forecast the last weeks, and which one the forecast uses.

    Grain: one row a method and horizon (days ahead) in the table below, from rolling origins on complete days. The
    model is compared with persistence (the mean of the last seven days) and with the fallback (persistence moved by
    weekday and age of the title). It is used only if it beats both. Used by the forecast, and by those who wonder how
    far to trust a placement plan.
    """
    today = config.date()
    inputs = read_inputs(warehouse, storage.store())
    result = backtest(inputs.demand, inputs.titles, today=today, regions=inputs.regions, mentions=inputs.mentions)
    choice = choose(result)
    picture = plot_examples(result.examples)
    errors = {
        str(row["method"]): float(row["wape_total"])
        for row in result.metrics.filter((pl.col("horizon") == 0) & pl.col("wape_total").is_not_null()).iter_rows(
            named=True
        )
    }
    key = store_backtest(
        storage.store(),
        BacktestRecord(today=today, published=choice.published, reason=choice.reason, wape_total=errors),
    )
    run_id = _track(tracking.tracker(), result, choice, picture, today.isoformat())
    return dg.MaterializeResult(
        metadata={
            "published_method": choice.published,
            "reason": choice.reason,
            "metrics": dg.MetadataValue.md(markdown_table(result.metrics)),
            "plot": dg.MetadataValue.md(
                png_markdown(picture, "forecast and actual sessions") if picture else "no data"
            ),
            "origins": [day.isoformat() for day in result.origins],
            "demand_rows": len(inputs.demand),
            "mention_rows": len(inputs.mentions),
            "notes": list(result.notes),
            "store_key": key,
            "mlflow_run": run_id,
        }
    )


def _track(tracker: Tracker, result: BacktestResult, choice: ForecastChoice, picture: bytes | None, today: str) -> str:
    """Log a back-test to MLflow; returns the run's id."""
    with tracker.run(EXPERIMENT, f"backtest-{today}") as run:
        run.log_parameters(
            {
                "today": today,
                "published": choice.published,
                "origins": len(result.origins),
                "top_k": result.top_k,
                "horizon": DEFAULT_TRAINING.horizon,
                "max_rows": DEFAULT_TRAINING.max_rows,
                "seed": DEFAULT_TRAINING.seed,
            }
        )
        run.log_metrics(
            {
                f"{row['method']}/{name}": float(row[name])
                for row in result.metrics.filter(pl.col("horizon") == 0).iter_rows(named=True)
                for name in ("wape", "wape_total", "bias", "recall_at_k", "new_recall_at_k", "pinball", "coverage")
                if row[name] is not None and math.isfinite(row[name])
            }
        )
        run.log_text(markdown_table(result.metrics), "metrics.md")
        run.log_text(choice.reason, "choice.txt")
        if picture:
            run.log_plot("forecast-and-actual", picture)
        return run.run_id
