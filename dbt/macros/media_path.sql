{#- A package's key below media/<title_id>/ as a path below any pathway's base URL. -#}
{% macro media_path(title_id, key) -%}
    'media/' || {{ title_id }} || '/' || {{ key }}
{%- endmacro %}
