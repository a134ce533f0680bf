with

source as (

    select * from {{ source('raw', 'titles') }}

),

renamed as (

    select
        title_id,
        nullif(media_title_id, '') as media_title_id,
        name,
        kind,
        genres,
        language,
        synopsis,
        maturity_age,
        runtime_s,
        release_date,
        licence_start,
        licence_end
    from source

)

select * from renamed
