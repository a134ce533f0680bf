with

sessions as (

    select * from {{ ref('fct_title_region_day') }}

),

playable as (

    select title_id from {{ ref('dim_titles') }} where is_playable

),

newest as (

    select max(event_day) as event_day from sessions

),

decayed as (

    select
        sessions.region_id,
        sessions.title_id,
        sessions.sessions
            * pow(0.5, (newest.event_day - sessions.event_day) / {{ var('popularity_half_life_days') }}) as score
    from sessions
    cross join newest
    inner join playable on sessions.title_id = playable.title_id

),

scores as (

    select region_id, title_id, sum(score) as score from decayed group by all
    union all
    select '*' as region_id, title_id, sum(score) as score from decayed group by title_id

)

select
    region_id,
    title_id,
    row_number() over (partition by region_id order by score desc, title_id) as rank,
    score
from scores
