{#- The sum over a list of structs; 0 for an empty list. -#}
{% macro sum_of(list_column, expression) -%}
    coalesce(list_sum(list_transform({{ list_column }}, lambda item: {{ expression }})), 0)
{%- endmacro %}
