-- A beat's key is (session_id, boot, seq), and the first copy received is the beat. Its copies carry the same sent_at,
-- so they have the same event day too, and the day may stand in the window: with it, a filter on days reaches the scan
-- instead of waiting for the whole table to be numbered. The one exception is a beat from a clock that runs ahead: it
-- counts for the day of its arrival, and a copy of it may arrive after midnight. Such beats are few, and their keys
-- stand in a table of their own. A run brings that table up to date for every day that its models read here, therefore
-- a day that is built again, or beside other days, gets the same beats.
with

source as (

    select * from {{ source('raw', 'heartbeats') }}

),

counted_on_arrival as (

    select * from {{ ref('stg_events__heartbeats_counted_on_arrival') }}

),

first_copies_of_a_day as (

    select *
    from source
    qualify row_number() over (
        partition by event_day, session_id, boot, seq
        order by received_at, writer, segment, record_offset
    ) = 1

),

first_copies as (

    select first_copies_of_a_day.*
    from first_copies_of_a_day
    anti join counted_on_arrival
        on first_copies_of_a_day.session_id = counted_on_arrival.session_id
        and first_copies_of_a_day.boot = counted_on_arrival.boot
        and first_copies_of_a_day.seq = counted_on_arrival.seq
        and first_copies_of_a_day.event_day > counted_on_arrival.event_day

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
        coalesce(dropped_frames, 0) as dropped_frames,
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
