"""The job ``purge_titles``: titles leave every edge at once, whatever plans say, and a run that ends well is the proof.

Plans, and the fills that follow them, forget a title by themselves once it has left the catalogue. This is for what may
not wait for the next night, such as a taken-down title.
"""

# annotations stay real objects here: Dagster does not resolve a config class from a string
from collections.abc import Sequence

import dagster as dg
import polars as pl

from orchestration.defs.demand.tables import markdown_table
from orchestration.edge.purge import purge_titles
from orchestration.edge.topology import Network, read_network
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse, WarehouseTableMissing
from orchestration.store import ObjectStore

PURGE_TITLES = "purge_titles"
RETRY = dg.RetryPolicy(max_retries=7, delay=15, backoff=dg.Backoff.EXPONENTIAL)
"""An edge that restarts is back within seconds; one that is away for more than an hour is a matter for people."""


class TitlesToPurge(dg.Config):
    """Which titles leave every edge."""

    title_ids: list[str]


def build_job(network: Network | None = None, retry: dg.RetryPolicy = RETRY) -> dg.JobDefinition:
    """The job over a network, by default the one that the seeds declare."""
    edge_ids = [edge.edge_id for edge in (network or read_network()).edges]

    @dg.op(name="purge", retry_policy=retry, out=dg.Out(dg.Nothing))
    def purge(
        context: dg.OpExecutionContext,
        config: TitlesToPurge,
        edges: EdgeFleet,
        storage: MediaStorage,
        warehouse: Warehouse,
    ) -> None:
        """Every edge of the network removes the titles and says so; asked again until all have, or the run fails.

        An id that nothing knows fails it too, for the title that was meant is still there.
        """
        if not config.title_ids:
            raise dg.Failure(description="no title is named; give title_ids", allow_retries=False)
        with edges.clients(edge_ids) as clients:
            answers = purge_titles(clients, edge_ids, config.title_ids)
        table = pl.DataFrame(
            [(one.edge_id, one.removed_objects, one.removed_bytes, one.problem or "gone") for one in answers],
            schema=["edge", "objects removed", "bytes removed", "answer"],
            orient="row",
        )
        missing = [f"{one.edge_id}: {one.problem}" for one in answers if not one.is_acknowledged]
        unknown = unknown_titles(storage.store(), warehouse, config.title_ids)
        told = {"edges": dg.MetadataValue.md(markdown_table(table))}
        problems = [f"not acknowledged by {'; '.join(missing)}"] if missing else []
        if unknown:
            problems.append(f"neither the media store nor the catalogue knows {', '.join(unknown)}: correct the id")
        if problems:
            raise dg.Failure(description=". ".join(problems), metadata=told, allow_retries=bool(missing))
        context.log.info("%s acknowledged by %d edges", ", ".join(config.title_ids), len(answers))
        context.add_output_metadata(told)

    @dg.job(name=PURGE_TITLES, description="Titles leave every edge at once, asked again until all edges say so.")
    def purge_everywhere() -> None:
        purge()

    return purge_everywhere


def unknown_titles(store: ObjectStore, warehouse: Warehouse, title_ids: Sequence[str]) -> list[str]:
    """The ids that were never a title's: without media in the store, where a title's stays, and not in the catalogue.

    The lake is read only when the store does not know one: a purge must not wait for it.
    """
    unknown = sorted(set(title_ids) - set(store.folders("media/")))
    if not unknown:
        return []
    try:
        catalogue = set(warehouse.read("serving.srv_titles", ["title_id"])["title_id"])
    except WarehouseTableMissing:
        catalogue = set()
    return [title_id for title_id in unknown if title_id not in catalogue]
