with

pages as (

    -- a page has the same exposures in the row of each of its titles
    select distinct
        viewer_id,
        shown_at,
        unnest(exposures) as exposure
    from {{ ref('stg_events__impressions') }}

),

entries as (

    select
        exposure.experiment_id as experiment_id,
        viewer_id,
        arg_min(exposure.arm, shown_at) as arm,
        min(shown_at) as first_shown_at
    from pages
    group by all

),

sessions as (

    select
        viewer_id,
        started_at,
        seconds_watched / 3600 as watch_hours
    from {{ ref('fct_sessions') }}
    where is_play

),

timed as (

    select
        entries.*,
        sessions.watch_hours,
        sessions.started_at between
            entries.first_shown_at - interval {{ var('experiment_days_before') }} days
            and entries.first_shown_at - interval 1 microsecond as is_before,
        sessions.started_at between
            entries.first_shown_at
            and entries.first_shown_at + interval {{ var('experiment_days') }} days as is_after
    from entries
    left join sessions on entries.viewer_id = sessions.viewer_id

)

select
    experiment_id,
    viewer_id,
    arm,
    count(*) filter (where is_after) as plays,
    count(*) filter (where is_before) as plays_before,
    coalesce(sum(watch_hours) filter (where is_after), 0.0) as watch_hours,
    coalesce(sum(watch_hours) filter (where is_before), 0.0) as watch_hours_before,
    first_shown_at + interval {{ var('experiment_days') }} days <= (select max(started_at) from sessions) as is_complete,
    first_shown_at
from timed
group by all
