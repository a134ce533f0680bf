select
    renditions.title_id,
    renditions.package_id,
    renditions.rung,
    renditions.width,
    renditions.height,
    renditions.bitrate_bps,
    renditions.codecs
from {{ ref('stg_media__renditions') }} as renditions
where renditions.rendition_kind = 'video'
order by renditions.title_id, renditions.bitrate_bps
