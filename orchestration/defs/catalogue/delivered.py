"""The assets of the catalogue drop: titles and viewers as they were delivered."""

from dataclasses import replace

import dagster as dg
import polars as pl

from orchestration import taxonomy
from orchestration.defs.catalogue.drop import Delivery, add_descriptions, read_titles, read_viewers
from orchestration.edge.topology import read_network
from orchestration.media.handover import described_titles
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

TITLES = dg.AssetKey(["catalogue", "titles"])
VIEWERS = dg.AssetKey(["catalogue", "viewers"])
PREVIEW_ROWS = 10


def every_row_accepted(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check on a delivered file."""
    return dg.AssetCheckSpec(
        name="every_row_is_accepted",
        asset=asset,
        description="No delivered row had to be left out. The others have entered in any case.",
    )


def build_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """`catalogue/titles` and `catalogue/viewers`."""

    @dg.asset(
        key=TITLES,
        group_name=taxonomy.CATALOGUE,
        owners=taxonomy.OWNERS[taxonomy.CATALOGUE],
        kinds={"parquet", "duckdb"},
        deps=[dg.AssetKey(["media", "sidecars"])],
        check_specs=[every_row_accepted(TITLES)],
        pool=taxonomy.POOL_WAREHOUSE_WRITE,
    )
    def titles(context: dg.AssetExecutionContext, warehouse: Warehouse, storage: MediaStorage) -> dg.MaterializeResult:
        """What editors say about the titles, one row a title, replaced as a whole by each delivery (`raw.titles`).

        The file is `titles.parquet` in the catalogue drop. It describes titles whether or not they are packaged. What
        it leaves open is taken from the file beside the master, such as `film.toml`; a packaged master that neither
        describes gets its name from its id. Home pages, search, recommendations and
        content acquisition read it through `dim_titles`.
        """
        delivery = read_titles(settings.catalogue_drop_folder / "titles.parquet")
        described = described_titles(storage.store())
        merged = add_descriptions(delivery.accepted, described) if described else delivery.accepted
        notes = [*delivery.notes, *([f"{len(described)} titles described beside their masters"] if described else [])]
        return _load(context, warehouse, TITLES, replace(delivery, accepted=merged, notes=notes))

    @dg.asset(
        key=VIEWERS,
        group_name=taxonomy.CATALOGUE,
        owners=taxonomy.OWNERS[taxonomy.CATALOGUE],
        kinds={"parquet", "duckdb"},
        check_specs=[every_row_accepted(VIEWERS)],
        pool=taxonomy.POOL_WAREHOUSE_WRITE,
    )
    def viewers(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        """One row a viewer with region, age band and usual device, replaced as a whole (`raw.viewers`).

        The file is `viewers.parquet` in the catalogue drop. Recommendations start from it for those who have not
        watched anything yet.
        """
        regions = {region.region_id for region in read_network().regions}
        path = settings.catalogue_drop_folder / "viewers.parquet"
        return _load(context, warehouse, VIEWERS, read_viewers(path, regions))

    return [titles, viewers]


def _load(
    context: dg.AssetExecutionContext, warehouse: Warehouse, asset: dg.AssetKey, delivery: Delivery
) -> dg.MaterializeResult:
    """Put the accepted rows into the raw table of the asset's name and say what became of the others."""
    for note in delivery.notes:
        context.log.warning(note)
    rows = warehouse.replace_raw(asset.path[-1], delivery.accepted)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": rows,
            "rejected_rows": delivery.rejected.height,
            "notes": dg.MetadataValue.md("\n".join(f"- {note}" for note in delivery.notes) or "none"),
            "preview": _preview(delivery.accepted),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=every_row_accepted(asset).name,
                passed=delivery.rejected.is_empty(),
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"rejected_rows": delivery.rejected.height, "first": _preview(delivery.rejected)},
            )
        ],
    )


def _preview(frame: pl.DataFrame) -> dg.MarkdownMetadataValue:
    header = f"| {' | '.join(frame.columns)} |\n|{'---|' * frame.width}\n"
    rows = "\n".join(
        f"| {' | '.join(str(value).replace('|', '/')[:60] for value in row)} |"
        for row in frame.head(PREVIEW_ROWS).rows()
    )
    return dg.MarkdownMetadataValue(header + rows)
