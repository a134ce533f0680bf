select
    region_id,
    name,
    country,
    time_zone,
    network_profile,
    fill_start_hour,
    fill_end_hour
from {{ ref('regions') }}
