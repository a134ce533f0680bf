"""How dbt's nodes become assets: keys, group, owners and where the raw tables come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from orchestration import taxonomy

RAW_TABLE_ASSETS = {
    "heartbeats": ["events", "heartbeats"],
    "impressions": ["events", "impressions"],
    "titles": ["catalogue", "titles"],
    "viewers": ["catalogue", "viewers"],
    "packages": ["catalogue", "media_facts"],
    "renditions": ["catalogue", "media_facts"],
    "media_objects": ["catalogue", "media_facts"],
}


class LakeTranslator(DagsterDbtTranslator):
    """Models and seeds are ``warehouse/<name>``; a raw table is the asset that fills it."""

    def __init__(self) -> None:
        # Three raw tables are filled by the one asset that scans the packages.
        super().__init__(DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """The key of a model or seed, or of the asset behind a raw table."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey(RAW_TABLE_ASSETS[dbt_resource_props["name"]])
        return dg.AssetKey([taxonomy.WAREHOUSE, dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """One group for all of dbt."""
        return taxonomy.WAREHOUSE

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:
        """Those who keep the warehouse."""
        return taxonomy.OWNERS[taxonomy.WAREHOUSE]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """What the model's yml says, and which columns it has; the SQL stands in dbt."""
        columns = [
            f"- `{column['name']}` {column['description'].strip()}"
            for column in dbt_resource_props.get("columns", {}).values()
            if column.get("description")
        ]
        return "\n\n".join(
            part for part in (dbt_resource_props.get("description", "").strip(), "\n".join(columns)) if part
        )
