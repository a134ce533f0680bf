{{ config(materialized='view') }}

select
    region_id,
    sessions,
    plays,
    ebvs,
    vsf,
    startup_s_p50,
    startup_s_p95,
    rebuffer_ratio,
    mean_bitrate_bps,
    edge_hit_ratio,
    edge_placed_ratio,
    event_day
from {{ ref('fct_qoe_region_day') }}
