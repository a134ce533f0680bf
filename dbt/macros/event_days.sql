{#-
  Which days a run builds.

  A session belongs to the day of its first beat, and its beats may go on past midnight. A run for the days a to b
  therefore
    - rebuilds the sessions that began on the days a - 1 to b (`in_session_days`): a beat of day a may belong to a
      session of the day before;
    - reads the beats of the days a - 2 to b + 1 (`in_beat_days`): one day earlier to know that a session began before,
      one day later to finish those that began on day b.
  A session that stands on a day outside the rebuilt ones is left as it is: its beats may pause for days, or come late,
  and it shall not begin again beside its own row. Such beats, more than a day away from their session's first day, are
  counted by a run without days, which builds all.
  Without the variables first_event_day and last_event_day both macros are true. Dagster gives the same days by the
  environment (MATINEE_BUILD_FIRST_DAY, MATINEE_BUILD_LAST_DAY): other values of --vars would make dbt parse everything
  anew, others of the environment only the models that use them.
-#}

{% macro in_session_days(column) -%}
    {{ between_event_days(column, 1, 0) }}
{%- endmacro %}

{% macro in_beat_days(column) -%}
    {{ between_event_days(column, 2, 1) }}
{%- endmacro %}

{% macro between_event_days(column, days_before, days_after) -%}
    {%- set first_day = var('first_event_day', none) or env_var('MATINEE_BUILD_FIRST_DAY', '') -%}
    {%- set last_day = var('last_event_day', none) or env_var('MATINEE_BUILD_LAST_DAY', '') or first_day -%}
    {%- if first_day -%}
        {{ column }} between date '{{ first_day }}' - {{ days_before }} and date '{{ last_day }}' + {{ days_after }}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#- Incremental strategy `replace_days`: the days of this run leave the table and come back as they are now, whether or
    not any row is left for them. DuckLake drops whole files of a day partition, so nothing is scanned for it. -#}
{% macro get_incremental_replace_days_sql(arg_dict) -%}
    {{ replace_rows(arg_dict, in_session_days('event_day')) }}
{%- endmacro %}

{#- Incremental strategy `replace_beat_days`: the same for all days that the models of this run read beats of. -#}
{% macro get_incremental_replace_beat_days_sql(arg_dict) -%}
    {{ replace_rows(arg_dict, in_beat_days('event_day')) }}
{%- endmacro %}

{% macro replace_rows(arg_dict, condition) -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    delete from {{ arg_dict['target_relation'] }} where {{ condition }};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    (select {{ columns }} from {{ arg_dict['temp_relation'] }})
{%- endmacro %}
