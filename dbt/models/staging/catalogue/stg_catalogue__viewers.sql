with

source as (

    select * from {{ source('raw', 'viewers') }}

),

renamed as (

    select
        viewer_id,
        region_id,
        age_band,
        device,
        network_class,
        preferred_genres,
        created_at
    from source

)

select * from renamed
