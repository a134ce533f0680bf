"""The result of a check that warns and holds nothing up: what somebody who keeps the platform should look at."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg


def warn_of(asset_key: dg.AssetKey, check_name: str, faults: Sequence[str]) -> dg.AssetCheckResult:
    """A check that warns of faults and passes without any."""
    return dg.AssetCheckResult(
        asset_key=asset_key,
        check_name=check_name,
        passed=not faults,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(faults) or None,
    )
