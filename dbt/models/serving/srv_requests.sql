{{ config(materialized='view') }}

select
    session_id,
    region_id,
    title_id,
    dominant_rung as rung,
    seconds_watched,
    event_day,
    started_at
from {{ ref('fct_sessions') }}
where is_play and dominant_rung is not null
