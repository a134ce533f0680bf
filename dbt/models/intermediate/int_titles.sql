with

titles as (

    select * from {{ ref('stg_catalogue__titles') }}

),

packages as (

    select * from {{ ref('stg_media__packages') }}

),

joined as (

    select
        coalesce(titles.title_id, packages.title_id) as title_id,
        titles.media_title_id,
        packages.package_id,
        titles.title_id is not null as is_in_catalogue,
        titles.* exclude (title_id, media_title_id),
        packages.* exclude (title_id, package_id, created_at),
        packages.created_at as packaged_at
    from titles
    full outer join packages on titles.title_id = packages.title_id

)

select
    title_id,
    media_title_id,
    package_id,
    package_id is not null as is_playable,
    is_in_catalogue,
    -- A master that nobody has described yet is named by its file: big-buck-bunny becomes Big Buck Bunny.
    coalesce(
        nullif(trim(name), ''),
        array_to_string(
            list_transform(string_split(title_id, '-'), lambda word: upper(word[1]) || word[2:]), ' '
        )
    ) as name,
    coalesce(kind, 'film') as kind,
    coalesce(genres, []::varchar[]) as genres,
    coalesce(language, 'und') as language,
    coalesce(synopsis, '') as synopsis,
    hls_key,
    dash_key,
    poster_key,
    coalesce(maturity_age, 0) as maturity_age,
    coalesce(runtime_s, duration_s) as runtime_s,
    duration_s,
    segment_duration_s,
    size_bytes,
    coalesce(release_date, packaged_at::date, date '1970-01-01') as release_date,
    licence_start,
    licence_end,
    packaged_at
from joined
