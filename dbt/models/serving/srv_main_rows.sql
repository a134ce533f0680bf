{{ config(materialized='view') }}

with

impressions as (

    select
        *,
        min(shown_at) over (partition by viewer_id, event_day) as first_shown_at
    from {{ ref('fct_impressions') }}

)

select
    impression_id,
    viewer_id,
    region_id,
    title_id,
    position,
    propensity,
    reason = 'something-different' as is_explored,
    is_played,
    shown_at
from impressions
where
    shown_at = first_shown_at
    and row_name = case when model_version = '' then 'popular' else 'top-picks' end
