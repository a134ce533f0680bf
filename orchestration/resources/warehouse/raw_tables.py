"""The raw tables: what enters the lake as it came, and the only tables that dbt does not build.

Columns stand here as DDL and nowhere else: ingest and the catalogue ask the lake for them. Timestamps are UTC without
a zone. DuckLake knows neither keys nor unique constraints; uniqueness is tested in staging.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from orchestration.resources.warehouse.connection import LAKE, transaction

SCHEMA = "raw"
HEARTBEATS = "heartbeats"
IMPRESSIONS = "impressions"
CONSUMED_SEGMENTS = "consumed_segments"
UNREADABLE_RECORDS = "unreadable_records"

_COLUMNS = {
    HEARTBEATS: """
        event_day date not null,
        session_id varchar not null,
        boot bigint not null,
        seq bigint not null,
        sent_at timestamp not null,
        kind varchar not null,
        viewer_id varchar not null,
        title_id varchar not null,
        region varchar not null,
        device varchar,
        network_class varchar,
        package_id varchar,
        duration_s double,
        position_s double,
        buffer_s double,
        startup_s double,
        runs struct(position_s double, played_s double, rung varchar, bitrate_bps bigint, pathway varchar)[],
        stalls struct(position_s double, duration_s double)[],
        errors struct(code varchar, message varchar, fatal boolean)[],
        deliveries struct(
            pathway varchar, requests bigint, requests_placed bigint, requests_cached bigint,
            size_bytes bigint, size_bytes_placed bigint, size_bytes_cached bigint)[],
        switches bigint,
        dropped_frames bigint,
        impression_id varchar,
        end_reason varchar,
        received_at timestamp not null,
        writer varchar not null,
        segment bigint not null,
        record_offset bigint not null""",
    IMPRESSIONS: """
        event_day date not null,
        impression_id varchar not null,
        viewer_id varchar not null,
        region varchar not null,
        shown_at timestamp not null,
        snapshot_id varchar,
        model_version varchar,
        title_id varchar not null,
        row varchar,
        position bigint,
        propensity double,
        reason varchar,
        exposures struct(experiment_id varchar, arm varchar)[],
        writer varchar not null,
        segment bigint not null,
        record_offset bigint not null""",
    CONSUMED_SEGMENTS: """
        writer varchar not null,
        segment bigint not null,
        consumed_bytes bigint not null,
        records bigint not null,
        rows bigint not null,
        ingested_at timestamp not null""",
    UNREADABLE_RECORDS: """
        writer varchar not null,
        segment bigint not null,
        record_offset bigint not null,
        reason varchar not null,
        seen_at timestamp not null""",
    "titles": """
        title_id varchar not null,
        name varchar,
        kind varchar,
        genres varchar[],
        language varchar,
        maturity_age integer,
        release_date date,
        runtime_s double,
        synopsis varchar,
        media_title_id varchar,
        licence_start date,
        licence_end date""",
    "viewers": """
        viewer_id varchar not null,
        region_id varchar,
        age_band varchar,
        device varchar,
        network_class varchar,
        preferred_genres varchar[],
        created_at timestamp""",
    "packages": """
        title_id varchar not null,
        package_id varchar not null,
        source_sha256 varchar,
        duration_s double,
        segment_duration_s double,
        size_bytes bigint,
        hls_key varchar,
        dash_key varchar,
        poster_key varchar,
        created_at timestamp""",
    "renditions": """
        title_id varchar not null,
        package_id varchar not null,
        rendition_id varchar not null,
        rung varchar,
        kind varchar,
        codecs varchar,
        bitrate_bps bigint,
        peak_bitrate_bps bigint,
        width integer,
        height integer,
        frame_rate double,
        language varchar""",
    "media_objects": """
        title_id varchar not null,
        package_id varchar not null,
        key varchar not null,
        rendition_id varchar,
        rung varchar,
        segment_group bigint,
        size_bytes bigint,
        sha256 varchar,
        duration_s double""",
}
_ADDED_LATER = {
    HEARTBEATS: {"dropped_frames": "bigint"},
    IMPRESSIONS: {"exposures": "struct(experiment_id varchar, arm varchar)[]"},
}
"""Columns that a lake of an earlier version lacks; its older rows have null there."""

_PARTITIONED_BY = {HEARTBEATS: "event_day", IMPRESSIONS: "event_day"}

RAW_TABLES = tuple(_COLUMNS)


def qualified(table: str) -> str:
    """The full name of a raw table."""
    return f"{LAKE}.{SCHEMA}.{table}"


def create_raw_tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Create the raw tables that are missing, and columns that came later; returns the names of new tables."""
    existing = dict(
        connection.execute(
            "select table_name, list(column_name) from duckdb_columns() "
            "where database_name = ? and schema_name = ? group by table_name",
            [LAKE, SCHEMA],
        ).fetchall()
    )
    for table, columns in _ADDED_LATER.items():
        for column, form in columns.items():
            if column not in existing.get(table, [column]):
                connection.execute(f"alter table {qualified(table)} add column if not exists {column} {form}")
    missing = [name for name in RAW_TABLES if name not in existing]
    if missing:
        with transaction(connection):
            connection.execute(f"create schema if not exists {LAKE}.{SCHEMA}")
            for name in missing:
                connection.execute(f"create table {qualified(name)} ({_COLUMNS[name]})")
                if name in _PARTITIONED_BY:
                    connection.execute(f"alter table {qualified(name)} set partitioned by ({_PARTITIONED_BY[name]})")
    return missing


def arrow_schema(connection: duckdb.DuckDBPyConnection, table: str) -> pa.Schema:
    """The columns of a raw table as Arrow types."""
    return connection.execute(f"from {qualified(table)} limit 0").to_arrow_table().schema
