{{ config(
    materialized='incremental',
    incremental_strategy='replace_days',
    on_schema_change='fail',
    partitioned_by='event_day',
    tags=['event_day'],
) }}

with

deliveries as (

    select
        region_id,
        event_day,
        unnest(deliveries) as delivery
    from {{ ref('stg_events__heartbeats') }}
    where {{ in_session_days('event_day') }}

)

select
    delivery.pathway as pathway_id,
    region_id,
    sum(delivery.requests)::bigint as requests,
    sum(delivery.requests_placed)::bigint as requests_placed,
    sum(delivery.requests_cached)::bigint as requests_cached,
    sum(delivery.size_bytes)::bigint as delivered_bytes,
    sum(delivery.size_bytes_placed)::bigint as delivered_bytes_placed,
    sum(delivery.size_bytes_cached)::bigint as delivered_bytes_cached,
    event_day
from deliveries
group by all
