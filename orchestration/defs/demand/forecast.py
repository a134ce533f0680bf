"""The forecast asset: sessions per region, title and day, for the days that come.

A forecast that breaks a blocking rule is stored and described but never becomes the current one: the rules are held
before the pointer moves, and the asset's checks report the same findings.
"""

# annotations stay real objects here: Dagster does not resolve a config class from a string
import datetime as dt

import dagster as dg
import polars as pl

from ml.forecasting import DEFAULT_TRAINING, FALLBACK, MODEL, TooLittleHistory, TrainingSettings, fit, forecast
from ml.forecasting.model import DemandModel
from orchestration import taxonomy
from orchestration.defs.demand import forecast_rules
from orchestration.defs.demand.backtest import demand_backtest
from orchestration.defs.demand.comparison import compare_lately
from orchestration.defs.demand.forecast_store import (
    BacktestRecord,
    forecast_key,
    publish_forecast,
    read_backtest,
    store_forecast,
)
from orchestration.defs.demand.inputs import DEMAND_KEY, MENTIONS_KEY, TITLES_KEY, DaysAhead, DemandInputs, read_inputs
from orchestration.defs.demand.plots import plot_totals, png_markdown
from orchestration.defs.demand.tables import markdown_table
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse

FORECAST_KEY = dg.AssetKey(["demand", "forecast"])
PREVIEW_TITLES = 5
DAYS_COMPARED = 14
PREVIEW_FEATURES = 10
ALL_REGIONS = "all"
BLOCKING = {
    forecast_rules.COMPLETE: "No forecast is NaN, infinite or null.",
    forecast_rules.REGIONS: "Every region of the seeds has a forecast.",
    forecast_rules.ORDERED: "0 <= q10 <= q50 <= q90 in every row.",
}
CHECKS = [
    *(dg.AssetCheckSpec(name, asset=FORECAST_KEY, blocking=True, description=text) for name, text in BLOCKING.items()),
    dg.AssetCheckSpec(
        forecast_rules.PLAUSIBLE,
        asset=FORECAST_KEY,
        description="The forecast total of a day lies within a band of the last seven days' mean; a warning.",
    ),
    dg.AssetCheckSpec(
        forecast_rules.DRIFT,
        asset=FORECAST_KEY,
        description="The forecasts of the last days were about as near as the back-test had measured; a warning.",
    ),
]


@dg.asset(
    key=FORECAST_KEY,
    group_name=taxonomy.DEMAND,
    owners=taxonomy.OWNERS[taxonomy.DEMAND],
    kinds={"python", "lightgbm"},
    deps=[demand_backtest, DEMAND_KEY, TITLES_KEY, MENTIONS_KEY],
    check_specs=CHECKS,
)
def demand_forecast(
    context: dg.AssetExecutionContext, config: DaysAhead, warehouse: Warehouse, storage: MediaStorage
) -> dg.MaterializeResult:
    """Expected sessions of every title in every region for the next days (seven, or up to 14), with three quantiles.

    Grain: one row a region, title and day, in `forecasts/<forecast_id>.parquet` of the store; `forecasts/CURRENT` names
    the newest one that passed its blocking checks. The column `model` says whether the trained model or the fallback
    made it; the back-test decides. Nothing is expected of a title outside its licence, and more on public holidays.
    Used by the placement plans.
    """
    settings = config.training()
    today = config.date()
    store = storage.store()
    inputs = read_inputs(warehouse, store, today)
    decision = read_backtest(store)
    model, reason = choose_model(inputs, decision, today, settings)
    context.log.info("forecast by %s: %s", MODEL if model else FALLBACK, reason)
    ahead = forecast(
        model,
        inputs.demand,
        inputs.titles,
        today=today,
        horizon_days=config.horizon_days,
        regions=inputs.regions,
        signals=inputs.signals,
    )
    complete = inputs.demand.filter(pl.col("event_day") < today)
    lately = compare_lately(store, complete, DAYS_COMPARED)
    findings = [
        *forecast_rules.examine(ahead, complete, inputs.regions),
        forecast_rules.find_drift(lately, decision.wape_next_day if decision else None),
    ]
    forecast_id = store_forecast(store, ahead, today)
    published = all(finding.passed for finding in findings if finding.rule in BLOCKING)
    if published:
        publish_forecast(store, forecast_id)
    last_day = complete["event_day"].max()
    return dg.MaterializeResult(
        metadata={
            "forecast_id": forecast_id,
            "store_key": forecast_key(forecast_id),
            "published": published,
            "method": MODEL if model else FALLBACK,
            "reason": reason,
            "rows": len(ahead),
            "last_complete_day": str(last_day),
            "stale_days": (today - last_day).days - 1 if isinstance(last_day, dt.date) else -1,
            "trained_rows": model.trained_rows if model else 0,
            "features": dg.MetadataValue.md(_top_features(model)),
            "forecast_and_actual": dg.MetadataValue.md(png_markdown(plot_totals(lately, ahead), "sessions by region")),
            "holidays": dg.MetadataValue.md(markdown_table(_holidays_ahead(inputs.signals.holidays, ahead))),
            "totals": dg.MetadataValue.md(markdown_table(_totals(ahead))),
            "top_titles": dg.MetadataValue.md(markdown_table(_top_titles(ahead, inputs.titles))),
        },
        check_results=[
            dg.AssetCheckResult(
                asset_key=FORECAST_KEY,
                check_name=finding.rule,
                passed=finding.passed,
                severity=dg.AssetCheckSeverity.ERROR if finding.rule in BLOCKING else dg.AssetCheckSeverity.WARN,
                description=finding.detail,
            )
            for finding in findings
        ],
    )


def choose_model(
    inputs: DemandInputs,
    decision: BacktestRecord | None,
    today: dt.date,
    settings: TrainingSettings = DEFAULT_TRAINING,
) -> tuple[DemandModel | None, str]:
    """The model to forecast with, trained on the days before ``today`` (None for the fallback), and why."""
    if decision is None:
        return None, "no back-test was made yet: the fallback is published"
    if decision.published != MODEL:
        return None, decision.reason
    try:
        model = fit(
            inputs.demand,
            inputs.titles,
            today=today,
            regions=inputs.regions,
            settings=settings,
            signals=inputs.signals,
        )
        return model, decision.reason
    except TooLittleHistory as error:
        return None, f"the back-test chose the model, but it cannot be trained: {error}"


def _top_features(model: DemandModel | None) -> str:
    """What the model goes by: the features that gained most in either of its parts."""
    if model is None:
        return "no model"
    by_gain = model.importance.sort(-pl.max_horizontal("sessions", "chance"), "feature").head(PREVIEW_FEATURES)
    return markdown_table(by_gain.with_columns(pl.col("sessions", "chance").round(3)))


def _holidays_ahead(holidays: pl.DataFrame, ahead: pl.DataFrame) -> pl.DataFrame:
    """The public holidays among the days that are foretold."""
    return holidays.join(ahead.select("day").unique(), on="day", how="semi")


def _totals(ahead: pl.DataFrame) -> pl.DataFrame:
    """Sessions by region and day, and of all regions together."""
    everywhere = ahead.with_columns(region_id=pl.lit(ALL_REGIONS))
    return (
        pl.concat([ahead, everywhere])
        .group_by("region_id", "day")
        .agg(pl.col("sessions").sum().round(1))
        .sort("region_id", "day")
        .pivot(on="day", index="region_id", values="sessions")
    )


def _top_titles(ahead: pl.DataFrame, titles: pl.DataFrame) -> pl.DataFrame:
    return (
        ahead.group_by("region_id", "title_id")
        .agg(pl.col("sessions", "q10", "q90").sum())
        .sort(["region_id", "sessions", "title_id"], descending=[False, True, False])
        .group_by("region_id", maintain_order=True)
        .head(PREVIEW_TITLES)
        .join(titles.select("title_id", "name"), on="title_id", how="left", maintain_order="left")
        .select(
            "region_id", "title_id", "name", pl.col("sessions").alias(f"sessions in {ahead['day'].n_unique()} days")
        )
    )
