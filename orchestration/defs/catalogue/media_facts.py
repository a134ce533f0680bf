"""The asset that tells the lake what is packaged."""

import time

import dagster as dg

from orchestration import taxonomy
from orchestration.defs.catalogue.package_facts import collect_facts
from orchestration.media.publish import current_packages
from orchestration.resources.storage import MediaStorage
from orchestration.resources.warehouse import Warehouse

MEDIA_FACTS = dg.AssetKey(["catalogue", "media_facts"])
READABLE = dg.AssetCheckSpec(
    name="every_package_is_readable",
    asset=MEDIA_FACTS,
    description="Every title that points to a package has a readable record of it; others are left out.",
)


@dg.asset(
    key=MEDIA_FACTS,
    group_name=taxonomy.CATALOGUE,
    owners=taxonomy.OWNERS[taxonomy.CATALOGUE],
    kinds={"python", "duckdb"},
    deps=[dg.AssetKey(["media", "package"]), dg.AssetKey(["media", "shared_titles"])],
    check_specs=[READABLE],
    pool=taxonomy.POOL_WAREHOUSE_WRITE,
)
def media_facts(context: dg.AssetExecutionContext, warehouse: Warehouse, storage: MediaStorage) -> dg.MaterializeResult:
    """The current package of every title: its renditions and each of its files with size and hash.

    Read from the `objects.json` beside the manifests, replaced as a whole (`raw.packages`, `raw.renditions`,
    `raw.media_objects`). Playback learns from it what can be played, placement what a segment group weighs, and fills
    which bytes they move.
    """
    started = time.monotonic()
    broken: dict[str, str] = {}
    facts = collect_facts(
        current_packages(storage.store(), on_broken=lambda title_id, error: broken.update({title_id: str(error)}))
    )
    scanned = time.monotonic()
    warehouse.replace_raw("packages", facts.packages)
    warehouse.replace_raw("renditions", facts.renditions)
    warehouse.replace_raw("media_objects", facts.objects)
    context.log.info(f"{facts.packages.height:,} packages with {facts.objects.height:,} objects")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": facts.packages.height,
            "renditions": facts.renditions.height,
            "objects": facts.objects.height,
            "size_bytes": int(facts.packages["size_bytes"].sum()),
            "scan_seconds": scanned - started,
            "seconds": time.monotonic() - started,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=READABLE.name,
                passed=not broken,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"unreadable": dg.MetadataValue.json(broken)},
            )
        ],
    )
