select
    genre,
    region_id,
    sessions,
    seconds_watched,
    completion,
    titles,
    sessions_per_title
from {{ ref('fct_acquisition') }}
