-- Resent beats have the event day of the first sending, so the day may stand in the key: with it, a filter on days
-- reaches the scan instead of waiting for the whole table to be numbered.
with

source as (

    select * from {{ source('raw', 'heartbeats') }}

),

first_copies as (

    select *
    from source
    qualify row_number() over (
        partition by event_day, session_id, boot, seq
        order by received_at, writer, segment, record_offset
    ) = 1

),

renamed as (

    select
        session_id,
        boot,
        seq,
        viewer_id,
        title_id,
        package_id,
        region as region_id,
        impression_id,
        device,
        network_class,
        kind as beat_kind,
        end_reason,
        duration_s,
        position_s,
        buffer_s,
        startup_s,
        switches,
        runs,
        stalls,
        errors,
        deliveries,
        event_day,
        sent_at,
        received_at
    from first_copies

)

select * from renamed
