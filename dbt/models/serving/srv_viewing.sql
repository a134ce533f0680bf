{{ config(materialized='view') }}

select
    sessions.session_id,
    sessions.viewer_id,
    sessions.title_id,
    sessions.region_id,
    coalesce(viewers.age_band, 'unknown') as age_band,
    sessions.device,
    sessions.seconds_watched,
    coalesce(sessions.completion, 0.0) as completion,
    sessions.event_day,
    sessions.started_at
from {{ ref('fct_sessions') }} as sessions
left join {{ ref('dim_viewers') }} as viewers on sessions.viewer_id = viewers.viewer_id
where sessions.is_play
