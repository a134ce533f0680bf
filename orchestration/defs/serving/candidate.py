"""The candidate: a snapshot that is written whole and served by nobody, and the check that stands before publishing."""

import datetime as dt
from collections.abc import Iterable

import dagster as dg
import polars as pl

from orchestration import taxonomy
from orchestration.defs.serving.content import POPULARITY_COLUMNS, RUNG_COLUMNS, TITLE_COLUMNS, gather_content
from orchestration.defs.serving.preview import edges_table, models_table, titles_table
from orchestration.defs.serving.sources import SourceDamaged, read_plans, read_recommender
from orchestration.defs.serving.topology import make_topology
from orchestration.edge.topology import read_network
from orchestration.experiments import read_experiments
from orchestration.resources.edges import EdgeFleet
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse
from orchestration.store import LocalStore, ObjectMissing
from playback_api.snapshot import ModelRecord, Snapshot, SnapshotError, find_faults, load_snapshot, write_snapshot

CANDIDATE_KEY = dg.AssetKey(["serving", "snapshot_candidate"])
CANDIDATE_POINTER = "snapshots/CANDIDATE"
LIFETIME = dt.timedelta(days=1)


def build_candidate(*, origin_url: str) -> dg.AssetsDefinition:
    """The asset that writes the candidate.

    Args:
        origin_url: Where the origin answers in this installation.
    """

    @dg.asset(
        key=CANDIDATE_KEY,
        group_name=taxonomy.SERVING,
        owners=taxonomy.OWNERS[taxonomy.SERVING],
        kinds={"python"},
        deps=[
            dg.AssetKey(["warehouse", "srv_titles"]),
            dg.AssetKey(["warehouse", "srv_rungs"]),
            dg.AssetKey(["warehouse", "srv_popularity"]),
            dg.AssetKey(["warehouse", "experiments"]),
            dg.AssetKey(["recommender", "recommendations"]),
            dg.AssetKey(["edge", "placement_plan"]),
        ],
    )
    def snapshot_candidate(warehouse: Warehouse, storage: MediaStorage, edges: EdgeFleet) -> dg.MaterializeResult[None]:
        """Everything that the playback API will answer from, written and not yet served.

        Grain: one immutable folder below snapshots/ per materialisation: playable titles with their rungs, popularity
        by region, the network, what the plans put on each edge, the published recommender and the declared experiments.
        Used by the check that must pass before serving/snapshot publishes it.
        """
        network = read_network()
        store = storage.store()
        try:
            gathered = gather_content(
                titles=warehouse.read("serving.srv_titles", TITLE_COLUMNS),
                rungs=warehouse.read("serving.srv_rungs", RUNG_COLUMNS),
                popularity=warehouse.read("serving.srv_popularity", POPULARITY_COLUMNS),
                topology=make_topology(network, edge_urls=edges.urls, origin_url=origin_url),
                plans=read_plans(store, [region.region_id for region in network.regions]),
                recommender=read_recommender(store),
                experiments=read_experiments(),
            )
        except (SourceDamaged, pl.exceptions.PolarsError) as error:
            raise dg.Failure(description=str(error)) from error
        manifest = write_snapshot(store.root, gathered.content, clock=_now, lifetime=LIFETIME)
        store.put_bytes(CANDIDATE_POINTER, manifest.snapshot_id.encode(), replace=True)
        snapshot = load_snapshot(store.root, manifest.snapshot_id)
        return dg.MaterializeResult(
            metadata={
                "snapshot_id": manifest.snapshot_id,
                "size_bytes": sum(file.size_bytes for file in manifest.files),
                "expires_at": dg.MetadataValue.timestamp(manifest.expires_at),
                **{f"count/{name}": count for name, count in manifest.counts.items()},
                "not_playable": gathered.not_playable,
                "outdated_groups": gathered.outdated_groups,
                "plans": dg.MetadataValue.json(manifest.placement_plan_ids),
                "titles": dg.MetadataValue.md(titles_table(snapshot)),
                "edges": dg.MetadataValue.md(edges_table(snapshot)),
                "models": dg.MetadataValue.md(models_table(snapshot)),
            }
        )

    return snapshot_candidate


@dg.asset_check(asset=CANDIDATE_KEY, blocking=True)
def fit_to_serve(storage: MediaStorage) -> dg.AssetCheckResult:
    """Nothing is published that the API could not answer from.

    Every file has the size and hash of the manifest; there are titles; every title has rungs and paths; plans and
    popularity name known edges, titles and regions; there is one origin; its models are those that were published last,
    so that a model which was taken back meanwhile does not come again; the arms of an experiment share out all
    viewers and have one control, and no two running experiments set the same thing.
    """
    _, faults = examine_candidate(storage.store())
    return dg.AssetCheckResult(
        passed=not faults,
        description=f"{len(faults)} faults: {faults[0]}" if faults else "fit to serve",
        metadata={"faults": dg.MetadataValue.md("\n".join(f"- {fault}" for fault in faults) or "none")},
    )


def examine_candidate(store: LocalStore) -> tuple[Snapshot | None, list[str]]:
    """The snapshot that was written last, if it can be read, and all that stands against publishing it."""
    try:
        candidate = load_snapshot(store.root, store.read_bytes(CANDIDATE_POINTER).decode())
        newest = read_recommender(store).models
    except ObjectMissing:
        return None, ["no candidate was written; materialise serving/snapshot_candidate first"]
    except (SnapshotError, SourceDamaged) as error:
        return None, [str(error)]
    faults = find_faults(candidate)
    if candidate.models != newest:
        faults.append(
            f"it was written with {_versions(candidate.models)}, and {_versions(newest)} took over since; materialise "
            "serving/snapshot_candidate again"
        )
    return candidate, faults


def _versions(models: Iterable[ModelRecord]) -> str:
    return ", ".join(f"{model.name} {model.version}" for model in models) or "no model"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
