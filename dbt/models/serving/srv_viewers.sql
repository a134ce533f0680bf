select
    viewer_id,
    region_id,
    age_band,
    device,
    network_class,
    preferred_genres,
    created_at
from {{ ref('dim_viewers') }}
