"""The published snapshot: the pointer moves, the running API is told, old snapshots go."""

import datetime as dt

import dagster as dg

from orchestration import taxonomy
from orchestration.defs.serving.candidate import CANDIDATE_KEY, examine_candidate
from orchestration.resources.serving import ServingPlane
from orchestration.resources.storage import MediaStorage
from playback_api.snapshot import publish, remove_old

SNAPSHOT_KEY = dg.AssetKey(["serving", "snapshot"])
KEPT_SNAPSHOTS = 5


@dg.asset(
    key=SNAPSHOT_KEY,
    group_name=taxonomy.SERVING,
    owners=taxonomy.OWNERS[taxonomy.SERVING],
    kinds={"python"},
    deps=[CANDIDATE_KEY],
    freshness_policy=dg.FreshnessPolicy.time_window(
        fail_window=dt.timedelta(hours=24), warn_window=dt.timedelta(hours=3)
    ),
)
def snapshot(
    context: dg.AssetExecutionContext, storage: MediaStorage, serving: ServingPlane
) -> dg.MaterializeResult[None]:
    """What the playback API serves.

    Grain: one published snapshot per materialisation; snapshots/CURRENT names it. The API follows the pointer, so that
    viewers get the new catalogue, models and placement within seconds and without a restart. Published only after the
    candidate's check has passed; the last five are kept.
    """
    store = storage.store()
    # The blocking check has passed when both run together; this asset can also be materialised alone.
    published, faults = examine_candidate(store)
    if published is None or faults:
        raise dg.Failure(description=f"the candidate is not fit to serve and stays unpublished: {'; '.join(faults)}")
    publish(store.root, published.snapshot_id)
    served_id = serving.reload()
    if served_id != published.snapshot_id:
        context.log.warning("published %s; the API serves %s", published.snapshot_id, served_id or "nothing yet")
    removed = remove_old(store.root, keep=KEPT_SNAPSHOTS)
    return dg.MaterializeResult(
        metadata={
            "snapshot_id": published.snapshot_id,
            "served_by_api": served_id or "the API did not answer",
            "titles": len(published.titles),
            "size_bytes": sum(file.size_bytes for file in published.manifest.files),
            "placed_titles": published.manifest.counts["placed_titles"],
            "plans": dg.MetadataValue.json(published.manifest.placement_plan_ids),
            "models": ", ".join(f"{model.name} {model.version}" for model in published.models) or "none",
            "expires_at": dg.MetadataValue.timestamp(published.manifest.expires_at),
            "removed": len(removed),
        }
    )
