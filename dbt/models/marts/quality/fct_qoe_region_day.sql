{{ config(
    materialized='incremental',
    incremental_strategy='replace_days',
    on_schema_change='fail',
    partitioned_by='event_day',
    tags=['event_day'],
) }}

with

sessions as (

    select * from {{ ref('fct_sessions') }}
    where {{ in_session_days('event_day') }}

)

select
    region_id,
    count(*) as sessions,
    count(*) filter (is_play) as plays,
    count(*) filter (is_ebvs) as ebvs,
    count(*) filter (is_vsf) as vsf,
    count(*) filter (is_vpf) as vpf,
    quantile_cont(startup_s, 0.5) as startup_s_p50,
    quantile_cont(startup_s, 0.95) as startup_s_p95,
    sum(seconds_watched) as seconds_watched,
    sum(stall_s) as stall_s,
    sum(stall_s) / nullif(sum(stall_s) + sum(seconds_watched), 0) as rebuffer_ratio,
    sum(mean_bitrate_bps * seconds_watched) / nullif(sum(seconds_watched), 0) as mean_bitrate_bps,
    sum(requests)::bigint as requests,
    sum(requests_placed + requests_cached) / nullif(sum(requests), 0) as edge_hit_ratio,
    sum(requests_placed) / nullif(sum(requests), 0) as edge_placed_ratio,
    sum(delivered_bytes)::bigint as delivered_bytes,
    sum(delivered_bytes_placed + delivered_bytes_cached) / nullif(sum(delivered_bytes), 0) as edge_byte_hit_ratio,
    event_day
from sessions
group by region_id, event_day
