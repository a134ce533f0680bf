{{ config(
    materialized='incremental',
    incremental_strategy='replace_days',
    on_schema_change='append_new_columns',
    partitioned_by='event_day',
    tags=['event_day'],
) }}

with

sessions as (

    select * from {{ ref('int_sessions') }}
    where {{ in_session_days('event_day') }}

),

judged as (

    select
        *,
        case
            when startup_s is not null or seconds_watched > 0 then 'played'
            when end_reason = 'failed' or fatal_error_count > 0 then 'failed_to_start'
            when end_reason is not null then 'exited_before_start'
            else 'unresolved'
        end as outcome
    from sessions

)

select
    session_id,
    viewer_id,
    title_id,
    package_id,
    region_id,
    impression_id,
    device,
    network_class,
    outcome,
    end_reason,
    outcome = 'played' as is_play,
    outcome = 'exited_before_start' as is_ebvs,
    outcome = 'failed_to_start' as is_vsf,
    outcome = 'played' and (end_reason = 'failed' or fatal_error_count > 0) as is_vpf,
    rung_seconds[1].rung as dominant_rung,
    rung_seconds,
    boots,
    beats,
    startup_s,
    seconds_watched,
    duration_s,
    last_position_s,
    case when duration_s > 0 then least(1.0, seconds_watched / duration_s) end as completion,
    stall_count,
    stall_s,
    case when seconds_watched + stall_s > 0 then stall_s / (seconds_watched + stall_s) end as rebuffer_ratio,
    case when seconds_watched > 0 then played_bits / seconds_watched end as mean_bitrate_bps,
    switches,
    dropped_frames,
    error_count,
    requests,
    requests_placed,
    requests_cached,
    delivered_bytes,
    delivered_bytes_placed,
    delivered_bytes_cached,
    event_day,
    started_at,
    ended_at
from judged
