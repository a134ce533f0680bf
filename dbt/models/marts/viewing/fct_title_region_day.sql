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
    where is_play and {{ in_session_days('event_day') }}

)

select
    title_id,
    region_id,
    count(*) as sessions,
    count(distinct viewer_id) as viewers,
    sum(seconds_watched) as seconds_watched,
    avg(completion) as mean_completion,
    sum(delivered_bytes)::bigint as delivered_bytes,
    event_day
from sessions
group by all
