{#- Built for all days that the models of a run read of stg_events__heartbeats, and not only for those that it
    rebuilds: a copy of the first of them is known by the beats of the day before. -#}
{{ config(
    materialized='incremental',
    incremental_strategy='replace_beat_days',
    on_schema_change='fail',
    partitioned_by='event_day',
) }}

select distinct
    session_id,
    boot,
    seq,
    event_day
from {{ source('raw', 'heartbeats') }}
where event_day < sent_at::date and {{ in_beat_days('event_day') }}
