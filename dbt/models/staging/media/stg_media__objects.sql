with

source as (

    select * from {{ source('raw', 'media_objects') }}

),

renamed as (

    select
        title_id,
        package_id,
        nullif(rendition_id, '') as rendition_id,
        key as object_key,
        rung,
        sha256,
        segment_group,
        size_bytes,
        duration_s
    from source

)

select * from renamed
