select
    viewer_id,
    title_id,
    count(distinct event_day) as days_shown
from {{ ref('fct_impressions') }}
where
    position < {{ var('repetition_places') }}
    and event_day > (select max(latest.event_day) from {{ ref('fct_impressions') }} as latest)
    - {{ var('repetition_days') }}
group by all
having not bool_or(is_played) and count(distinct event_day) > 2
