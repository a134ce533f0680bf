{{ config(materialized='view') }}

select
    region_id,
    title_id,
    sessions,
    viewers,
    seconds_watched,
    event_day
from {{ ref('fct_title_region_day') }}
