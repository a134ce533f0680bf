with

source as (

    select * from {{ source('raw', 'packages') }}

),

renamed as (

    select
        title_id,
        package_id,
        source_sha256,
        hls_key,
        dash_key,
        poster_key,
        duration_s,
        segment_duration_s,
        size_bytes,
        created_at
    from source

)

select * from renamed
