{{ config(
    materialized='incremental',
    incremental_strategy='replace_days',
    on_schema_change='append_new_columns',
    partitioned_by='event_day',
    tags=['event_day'],
) }}

with

beats as (

    select
        *,
        struct_pack(boot := boot, seq := seq) as beat_order
    from {{ ref('stg_events__heartbeats') }}
    where {{ in_beat_days('event_day') }}

),

measured as (

    select
        *,
        {{ sum_of('runs', 'item.played_s') }} as played_s,
        {{ sum_of('runs', 'item.played_s * item.bitrate_bps') }} as played_bits,
        len(stalls) as stall_count,
        {{ sum_of('stalls', 'item.duration_s') }} as stall_s,
        len(errors) as error_count,
        len(list_filter(errors, lambda item: item.fatal)) as fatal_error_count,
        {{ sum_of('deliveries', 'item.requests') }}::bigint as requests,
        {{ sum_of('deliveries', 'item.requests_placed') }}::bigint as requests_placed,
        {{ sum_of('deliveries', 'item.requests_cached') }}::bigint as requests_cached,
        {{ sum_of('deliveries', 'item.size_bytes') }}::bigint as delivered_bytes,
        {{ sum_of('deliveries', 'item.size_bytes_placed') }}::bigint as delivered_bytes_placed,
        {{ sum_of('deliveries', 'item.size_bytes_cached') }}::bigint as delivered_bytes_cached
    from beats

),

rung_totals as (

    select
        session_id,
        run.rung as rung,
        sum(run.played_s) as played_s
    from (select session_id, unnest(runs) as run from beats)
    group by all

),

rungs as (

    -- Sorted as lists afterwards: an ordered aggregate costs ten times as much over a million small groups.
    select
        session_id,
        list_reverse_sort(list(struct_pack(played_s := played_s, rung := rung))) as rung_seconds
    from rung_totals
    group by session_id

),

sessions as (

    select
        session_id,
        arg_min(
            struct_pack(viewer_id, title_id, package_id, region_id, device, network_class), beat_order
        ) as first_beat,
        arg_min(impression_id, beat_order) filter (impression_id is not null) as impression_id,
        arg_max(end_reason, beat_order) filter (end_reason is not null) as end_reason,
        count(*) as beats,
        max(boot) + 1 as boots,
        max(duration_s) as duration_s,
        arg_max(position_s, beat_order) as last_position_s,
        -- A client that restarts measures its start again; the viewer waited for the first.
        arg_min(startup_s, beat_order) filter (startup_s is not null) as startup_s,
        sum(played_s) as seconds_watched,
        sum(played_bits) as played_bits,
        sum(stall_count)::bigint as stall_count,
        sum(stall_s) as stall_s,
        sum(error_count)::bigint as error_count,
        sum(fatal_error_count)::bigint as fatal_error_count,
        sum(switches)::bigint as switches,
        sum(dropped_frames)::bigint as dropped_frames,
        sum(requests)::bigint as requests,
        sum(requests_placed)::bigint as requests_placed,
        sum(requests_cached)::bigint as requests_cached,
        sum(delivered_bytes)::bigint as delivered_bytes,
        sum(delivered_bytes_placed)::bigint as delivered_bytes_placed,
        sum(delivered_bytes_cached)::bigint as delivered_bytes_cached,
        min(event_day) as event_day,
        min(sent_at) as started_at,
        max(sent_at) as ended_at
    from measured
    group by session_id

)

select
    sessions.session_id,
    sessions.first_beat.viewer_id,
    sessions.first_beat.title_id,
    sessions.first_beat.package_id,
    sessions.first_beat.region_id,
    sessions.first_beat.device,
    sessions.first_beat.network_class,
    sessions.* exclude (session_id, first_beat, event_day, started_at, ended_at),
    coalesce(rungs.rung_seconds, []) as rung_seconds,
    sessions.event_day,
    sessions.started_at,
    sessions.ended_at
from sessions
left join rungs on sessions.session_id = rungs.session_id
where
    {{ in_session_days('sessions.event_day') }}
    {% if is_incremental() %}
    -- After a pause of days the beats of an old session look like a new one: it keeps the row and the day it has.
    and sessions.session_id not in (
        select standing.session_id from {{ this }} as standing
        where not ({{ in_session_days('standing.event_day') }})
    )
    {% endif %}
