"""``demand/mentions``: what is said of titles elsewhere, as a feed delivers it."""

# annotations stay real objects here: Dagster does not resolve a config class from a string
import dagster as dg
import polars as pl

from orchestration import taxonomy
from orchestration.defs.demand.forecast_store import store_mentions
from orchestration.defs.demand.inputs import MENTIONS_KEY, TITLES_KEY, DemandDay, known_regions, read_titles
from orchestration.defs.demand.mentions_drop import MentionsDelivery, find_faults, read_mentions
from orchestration.defs.demand.tables import markdown_table
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

FEED_ALIVE = "feed_is_alive"
ROWS_ACCEPTED = "every_row_is_accepted"
CHECKS = [
    dg.AssetCheckSpec(
        FEED_ALIVE,
        asset=MENTIONS_KEY,
        description="The feed is of yesterday, not all zero, and speaks of known titles and regions; or there is none.",
    ),
    dg.AssetCheckSpec(
        ROWS_ACCEPTED,
        asset=MENTIONS_KEY,
        description="No delivered row had to be left out. The others are used in any case.",
    ),
]
PREVIEW_ROWS = 10


def build_mentions(settings: Settings) -> dg.AssetsDefinition:
    """The asset over the drop of this installation."""

    @dg.asset(
        key=MENTIONS_KEY,
        group_name=taxonomy.DEMAND,
        owners=taxonomy.OWNERS[taxonomy.DEMAND],
        kinds={"python", "parquet"},
        deps=[TITLES_KEY],
        check_specs=CHECKS,
    )
    def mentions(config: DemandDay, warehouse: Warehouse, storage: MediaStorage) -> dg.MaterializeResult:
        """How often titles are mentioned elsewhere (social networks, press, search), by region and day.

        Grain: one row a day, region and title, in `forecasts/mentions/` of the store; zero and absent are the same. The
        feed is optional and pluggable: whoever has one drops CSV or Parquet files into the folder `signals`, see
        docs/contracts.md. Used by the back-test and the forecast, which know of a day's mentions from the next day on.
        """
        today = config.date()
        titles = set(read_titles(warehouse)["title_id"])
        delivery = read_mentions(settings.signals_folder, titles=titles, regions=known_regions(), today=today)
        faults = find_faults(delivery, today)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(delivery.accepted),
                "store_key": store_mentions(storage.store(), delivery.accepted),
                "files": delivery.files,
                "rejected_rows": len(delivery.rejected),
                "replaced_rows": delivery.replaced,
                "newest_day": str(delivery.accepted["day"].max()),
                "by_day": dg.MetadataValue.md(markdown_table(_by_day(delivery))),
            },
            check_results=[
                _warning(FEED_ALIVE, not faults, "; ".join(faults) or _all_well(delivery)),
                _warning(
                    ROWS_ACCEPTED,
                    delivery.rejected.is_empty(),
                    f"{len(delivery.rejected)} rows refused",
                    {"reasons": _reasons(delivery), "first": delivery.rejected.head(PREVIEW_ROWS)},
                ),
            ],
        )

    return mentions


def _all_well(delivery: MentionsDelivery) -> str:
    return "it is" if delivery.files else "no feed is delivered: forecasts are made without one"


def _by_day(delivery: MentionsDelivery) -> pl.DataFrame:
    days = delivery.accepted.group_by("day").agg(
        pl.col("mentions").sum(), pl.col("title_id").n_unique().alias("titles")
    )
    return days.sort("day", descending=True).head(PREVIEW_ROWS)


def _reasons(delivery: MentionsDelivery) -> pl.DataFrame:
    return delivery.rejected.group_by("reason").agg(pl.len().alias("rows")).sort("rows", "reason", descending=True)


def _warning(name: str, passed: bool, said: str, tables: dict[str, pl.DataFrame] | None = None) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=MENTIONS_KEY,
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=said,
        metadata={title: dg.MetadataValue.md(markdown_table(table)) for title, table in (tables or {}).items()},
    )
