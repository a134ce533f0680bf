{#-
  Half the width of an interval that covers the true difference at all times at once, with 95 %: it may be looked at
  after every viewer, and an experiment may be ended as soon as the interval leaves 0 out. An ordinary interval of 1.96
  standard errors may not: with every look the chance grows that it is wrong once.

  The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit
  theory and asymptotic confidence sequences" (Annals of Statistics 52, 2024), theorem 2.2, two-sided. It is narrowest
  near `experiment_planned_viewers`, by the choice of rho^2 in their appendix; any choice that is made beforehand is
  valid.
-#}
{% macro always_valid_radius(standard_error, viewers, planned_viewers=none) -%}
    {%- set alpha = 0.05 -%}
    {%- set planned = planned_viewers or var('experiment_planned_viewers') -%}
    {%- set mixture = '((-2 * ln(' ~ alpha ~ ') + ln(1 - 2 * ln(' ~ alpha ~ '))) * ' ~ viewers ~ ' / ' ~ planned ~ ')' -%}
    {{ standard_error }} * sqrt(2 * ({{ mixture }} + 1) / {{ mixture }} * ln(sqrt({{ mixture }} + 1) / {{ alpha }}))
{%- endmacro %}
