with

sessions as (

    select
        region_id,
        rung_seconds
    from {{ ref('fct_sessions') }}
    where
        is_play
        and event_day > (select max(event_day) from {{ ref('fct_sessions') }}) - {{ var('recent_days') }}

),

rungs as (

    select region_id, unnest(rung_seconds) as rung_total from sessions

),

totals as (

    select
        region_id,
        rung_total.rung as rung,
        sum(rung_total.played_s) as played_s
    from rungs
    group by all

)

select
    region_id,
    rung,
    played_s / sum(played_s) over (partition by region_id) as share
from totals
where played_s > 0
