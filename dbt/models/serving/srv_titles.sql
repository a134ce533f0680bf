with

titles as (

    select * from {{ ref('dim_titles') }}

)

select
    title_id,
    package_id,
    name,
    kind,
    genres,
    language,
    maturity_age,
    runtime_s,
    duration_s,
    size_bytes,
    {{ media_path('title_id', 'hls_key') }} as hls_path,
    {{ media_path('title_id', 'dash_key') }} as dash_path,
    {{ media_path('title_id', 'poster_key') }} as poster_path,
    synopsis,
    release_date,
    licence_start,
    licence_end
from titles
