with

demand as (

    select
        title_id,
        region_id,
        sum(sessions) as sessions,
        sum(seconds_watched) as seconds_watched,
        sum(mean_completion * sessions) as completions
    from {{ ref('fct_title_region_day') }}
    group by all

),

titles as (

    select title_id, unnest(genres) as genre from {{ ref('dim_titles') }}

),

supply as (

    select genre, count(*) as titles from titles group by genre

),

viewed as (

    select
        titles.genre,
        demand.region_id,
        count(*) as titles_viewed,
        sum(demand.sessions)::bigint as sessions,
        sum(demand.seconds_watched) as seconds_watched,
        sum(demand.completions) / sum(demand.sessions) as completion
    from demand
    inner join titles on demand.title_id = titles.title_id
    group by all

)

select
    supply.genre,
    regions.region_id,
    supply.titles,
    coalesce(viewed.titles_viewed, 0) as titles_viewed,
    coalesce(viewed.sessions, 0) as sessions,
    coalesce(viewed.seconds_watched, 0.0) as seconds_watched,
    coalesce(viewed.completion, 0.0) as completion,
    coalesce(viewed.sessions, 0) / supply.titles as sessions_per_title
from supply
cross join {{ ref('dim_regions') }} as regions
left join viewed
    on supply.genre = viewed.genre
    and regions.region_id = viewed.region_id
