with

source as (

    select * from {{ source('raw', 'impressions') }}

),

first_copies as (

    select *
    from source
    qualify row_number() over (
        partition by event_day, impression_id, title_id, "row", position
        order by writer, segment, record_offset
    ) = 1

),

renamed as (

    select
        impression_id,
        viewer_id,
        region as region_id,
        title_id,
        snapshot_id,
        model_version,
        "row" as row_name,
        reason,
        position,
        propensity,
        coalesce(exposures, []) as exposures,
        event_day,
        shown_at
    from first_copies

)

select * from renamed
