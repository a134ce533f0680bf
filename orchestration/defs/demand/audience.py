"""The audience asset: which age bands will watch what, of the sessions that are forecast."""

# annotations stay real objects here: Dagster does not resolve a config class from a string
import datetime as dt

import dagster as dg
import polars as pl

from ml.forecasting import deal_to_age_bands, stand_out
from orchestration import taxonomy
from orchestration.defs.demand.forecast import FORECAST_KEY
from orchestration.defs.demand.forecast_store import read_current_forecast, store_audience
from orchestration.defs.demand.inputs import TITLES_KEY, DemandDay, read_titles
from orchestration.defs.demand.tables import markdown_table
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.store import ObjectMissing

VIEWING_KEY = dg.AssetKey(["warehouse", "srv_viewing"])
AUDIENCE_KEY = dg.AssetKey(["demand", "audience"])
ADDS_UP = "adds_up"
TOLERANCE = 1e-6
LEARNT_FROM = dt.timedelta(days=28)
TITLES_SHOWN = 3


@dg.asset(
    key=AUDIENCE_KEY,
    group_name=taxonomy.DEMAND,
    owners=taxonomy.OWNERS[taxonomy.DEMAND],
    kinds={"python"},
    deps=[FORECAST_KEY, TITLES_KEY, VIEWING_KEY],
    check_specs=[
        dg.AssetCheckSpec(
            ADDS_UP,
            asset=AUDIENCE_KEY,
            description="Over age bands, every region, title and day has the sessions of the forecast.",
        )
    ],
)
def demand_audience(config: DemandDay, warehouse: Warehouse, storage: MediaStorage) -> dg.MaterializeResult:
    """Expected sessions of every title by region, day and age band: the forecast in force, dealt to bands.

    Grain: one row a region, title, day and age band, in the file of the store that `forecasts/audiences/CURRENT` names.
    Which band watches what is learnt from the sessions of four weeks, less sharply where there are few. The table below
    names the titles that a band will watch by most more than its region does. For those who license and promote;
    placement goes by the region's forecast, since an edge serves all of its viewers.
    """
    today = config.date()
    try:
        forecast_id, forecast = read_current_forecast(storage.store())
    except ObjectMissing:
        said = "no forecast is in force yet; materialise demand/forecast"
        raise dg.Failure(description=said, allow_retries=False) from None
    titles = read_titles(warehouse)
    dealt = deal_to_age_bands(forecast, read_audience(warehouse, today - LEARNT_FROM, today), titles)
    apart = sessions_apart(forecast, dealt)
    shown = stand_out(dealt, TITLES_SHOWN).join(titles.select("title_id", "name"), on="title_id", how="left")
    by_band = dealt.group_by("region_id", "age_band").agg(pl.col("sessions").sum()).sort("region_id", "age_band")
    return dg.MaterializeResult(
        metadata={
            "forecast_id": forecast_id,
            "store_key": store_audience(storage.store(), dealt, forecast_id),
            "rows": len(dealt),
            "stand_out": dg.MetadataValue.md(
                markdown_table(shown.select("region_id", "age_band", "title_id", "name", "sessions", "more"))
            ),
            "sessions": dg.MetadataValue.md(
                markdown_table(by_band.pivot(on="age_band", index="region_id", values="sessions", sort_columns=True))
            ),
        },
        check_results=[
            dg.AssetCheckResult(
                asset_key=AUDIENCE_KEY,
                check_name=ADDS_UP,
                passed=apart <= TOLERANCE,
                description=f"the largest difference of a region, title and day is {apart:.2g} sessions"
                if len(dealt)
                else "nobody has watched anything yet, so that there is nothing to deal by",
            )
        ],
    )


def read_audience(warehouse: Warehouse, first_day: dt.date, today: dt.date) -> pl.DataFrame:
    """What every age band watched on the days from one to the one before another.

    Returns:
        region_id, title_id, age_band, sessions.
    """
    keys = ["region_id", "title_id", "age_band"]
    plays = warehouse.read("serving.srv_viewing", keys, days=(first_day, today - dt.timedelta(days=1)))
    return plays.group_by(keys).agg(pl.len().cast(pl.Float64).alias("sessions"))


def sessions_apart(forecast: pl.DataFrame, dealt: pl.DataFrame) -> float:
    """The largest difference between a row of the forecast and its bands; 0 when nothing was dealt."""
    if dealt.is_empty():
        return 0.0
    keys = ["region_id", "title_id", "day"]
    sums = dealt.group_by(keys).agg(pl.col("sessions").sum().alias("dealt"))
    both = forecast.select(*keys, "sessions").join(sums, on=keys, how="left").fill_null(0.0)
    return float((both["sessions"] - both["dealt"]).abs().max())  # type: ignore[arg-type]
