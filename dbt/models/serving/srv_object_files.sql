{{ config(materialized='view') }}

select
    title_id,
    package_id,
    object_key as key,
    rung,
    segment_group,
    size_bytes,
    sha256
from {{ ref('stg_media__objects') }}
