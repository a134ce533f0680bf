select
    viewer_id,
    region_id,
    coalesce(age_band, 'unknown') as age_band,
    coalesce(device, 'unknown') as device,
    coalesce(network_class, 'unknown') as network_class,
    coalesce(preferred_genres, []::varchar[]) as preferred_genres,
    created_at
from {{ ref('stg_catalogue__viewers') }}
