select
    title_id,
    package_id,
    rung,
    segment_group,
    sum(size_bytes)::bigint as size_bytes,
    count(*) as object_count
from {{ ref('stg_media__objects') }}
group by title_id, package_id, rung, segment_group
