with

source as (

    select * from {{ source('raw', 'renditions') }}

),

renamed as (

    select
        title_id,
        package_id,
        rendition_id,
        rung,
        kind as rendition_kind,
        codecs,
        language,
        bitrate_bps,
        peak_bitrate_bps,
        width,
        height,
        frame_rate
    from source

)

select * from renamed
