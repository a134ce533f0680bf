"""The back-test asset: is the model worth publishing?"""

# annotations stay real objects here: Dagster does not resolve a config class from a string
import math
from collections.abc import Mapping

import dagster as dg
import polars as pl

from ml.forecasting import BacktestResult, ForecastChoice, TrainingSettings, backtest, choose
from ml.tracking import Tracker
from orchestration import taxonomy
from orchestration.defs.demand.forecast_store import BacktestRecord, store_backtest
from orchestration.defs.demand.inputs import DEMAND_KEY, MENTIONS_KEY, TITLES_KEY, DaysAhead, read_inputs
from orchestration.defs.demand.plots import plot_breakdown, plot_examples, png_markdown
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
    config: DaysAhead, warehouse: Warehouse, storage: MediaStorage, tracking: ModelTracking
) -> dg.MaterializeResult:
    """How well each method would have forecast the last weeks, and which one the forecast uses.

    Grain: one row a method and horizon (days ahead) in the table below, from rolling origins on complete days. The
    model is compared with persistence (the mean of the last seven days) and with the fallback (persistence moved by
    weekday and age of the title). It is used only if it beats both. Seven days ahead are scored, or as many as a run
    asks for by `horizon_days`. Used by the forecast, and by those who wonder how far to trust a placement plan.
    """
    settings, today = config.training(), config.date()
    inputs = read_inputs(warehouse, storage.store(), today)
    result = backtest(
        inputs.demand,
        inputs.titles,
        today=today,
        regions=inputs.regions,
        settings=settings,
        signals=inputs.signals,
    )
    choice = choose(result)
    pictures = {
        "forecast-and-actual": plot_examples(result.examples),
        "errors-quantiles-features": plot_breakdown(result.slices, result.calibration, result.importance),
    }
    errors = {
        str(row["method"]): float(row["wape_total"])
        for row in result.metrics.filter((pl.col("horizon") == 0) & pl.col("wape_total").is_not_null()).iter_rows(
            named=True
        )
    }
    key = store_backtest(
        storage.store(),
        BacktestRecord(
            today=today,
            published=choice.published,
            reason=choice.reason,
            wape_total=errors,
            wape_next_day=_known(result.metric(choice.published, "wape", horizon=1)),
        ),
    )
    run_id = _track(tracking.tracker(), result, choice, pictures, today.isoformat(), settings)
    return dg.MaterializeResult(
        metadata={
            "published_method": choice.published,
            "reason": choice.reason,
            "metrics": dg.MetadataValue.md(markdown_table(result.metrics)),
            "slices": dg.MetadataValue.md(markdown_table(result.slices)),
            "calibration": dg.MetadataValue.md(markdown_table(result.calibration.filter(pl.col("horizon") == 0))),
            **{
                name.replace("-", "_"): dg.MetadataValue.md(png_markdown(png, name) if png else "no data")
                for name, png in pictures.items()
            },
            "origins": [day.isoformat() for day in result.origins],
            "demand_rows": len(inputs.demand),
            "mention_rows": len(inputs.signals.mentions),
            "holidays": len(inputs.signals.holidays.filter(pl.col("day") < today)),
            "notes": list(result.notes),
            "store_key": key,
            "mlflow_run": run_id,
        }
    )


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _track(
    tracker: Tracker,
    result: BacktestResult,
    choice: ForecastChoice,
    pictures: Mapping[str, bytes | None],
    today: str,
    settings: TrainingSettings,
) -> str:
    """Log a back-test to MLflow; returns the run's id."""
    with tracker.run(EXPERIMENT, f"backtest-{today}") as run:
        run.log_parameters(
            {
                "today": today,
                "published": choice.published,
                "origins": len(result.origins),
                "top_k": result.top_k,
                "horizon": settings.horizon,
                "max_rows": settings.max_rows,
                "seed": settings.seed,
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
        published = result.slices.filter(pl.col("method") == choice.published)
        run.log_metrics(
            {f"{row['by']}/{row['slice']}/wape_total": row["wape_total"] for row in published.iter_rows(named=True)}
        )
        for name, table in (
            ("metrics", result.metrics),
            ("slices", result.slices),
            ("calibration", result.calibration),
            ("features", result.importance),
        ):
            run.log_text(markdown_table(table), f"{name}.md")
        run.log_text(choice.reason, "choice.txt")
        for name, png in pictures.items():
            if png:
                run.log_plot(name, png)
        return run.run_id
