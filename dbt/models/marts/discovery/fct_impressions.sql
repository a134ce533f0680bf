{{ config(
    materialized='incremental',
    incremental_strategy='replace_days',
    on_schema_change='fail',
    partitioned_by='event_day',
    tags=['event_day'],
) }}

with

impressions as (

    select * from {{ ref('stg_events__impressions') }}
    where {{ in_session_days('event_day') }}

),

plays as (

    select
        impression_id,
        title_id,
        count(*) as sessions,
        sum(seconds_watched) as seconds_watched
    from {{ ref('fct_sessions') }}
    where is_play and impression_id is not null and {{ in_beat_days('event_day') }}
    group by all

)

select
    impressions.* exclude (exposures, event_day, shown_at),
    plays.sessions is not null as is_played,
    coalesce(plays.seconds_watched, 0.0) as seconds_watched,
    impressions.event_day,
    impressions.shown_at
from impressions
left join plays
    on impressions.impression_id = plays.impression_id
    and impressions.title_id = plays.title_id
