"""What every asset of this stage has in common."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import dagster as dg

from orchestration import partitions, taxonomy

PROBE = dg.AssetKey([taxonomy.MEDIA, "probe"])
LADDER = dg.AssetKey([taxonomy.MEDIA, "ladder"])
RENDITIONS = dg.AssetKey([taxonomy.MEDIA, "renditions"])
QUALITY = dg.AssetKey([taxonomy.MEDIA, "quality"])
ARTWORK = dg.AssetKey([taxonomy.MEDIA, "artwork"])
FIRST_RUNG = dg.AssetKey([taxonomy.MEDIA, "first_rung"])
STORYBOARD = dg.AssetKey([taxonomy.MEDIA, "storyboard"])
SIDECARS = dg.AssetKey([taxonomy.MEDIA, "sidecars"])
PACKAGE = dg.AssetKey([taxonomy.MEDIA, "package"])
SHARED_TITLES = dg.AssetKey([taxonomy.MEDIA, "shared_titles"])
MEDIA_RETENTION = dg.AssetKey([taxonomy.OPS, "media_retention"])
"""Part of the upkeep, not of the way of a title."""


def title_asset(key: dg.AssetKey, *kinds: str) -> dict[str, Any]:
    """The arguments of an asset that is partitioned by title."""
    return {"partitions_def": partitions.title, **media_asset(key, *kinds)}


def media_asset(key: dg.AssetKey, *kinds: str) -> dict[str, Any]:
    """The arguments of any asset of this stage."""
    return {
        "key": key,
        "group_name": taxonomy.MEDIA,
        "owners": taxonomy.OWNERS[taxonomy.MEDIA],
        "kinds": set(kinds),
    }


def warning_result(check: dg.AssetCheckSpec, faults: Sized, **metadata: Any) -> dg.AssetCheckResult:
    """The result of a check that warns when there are faults, and holds nothing up."""
    return dg.AssetCheckResult(
        check_name=check.name,
        asset_key=check.asset_key,
        passed=not faults,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
