with

declared as (

    select * from {{ ref('experiments') }}

),

viewers as (

    select * from {{ ref('fct_experiment_viewers') }}

),

metrics as (

    select experiment_id, arm, 'plays' as metric, plays::double as measured, plays_before::double as before
    from viewers where is_complete
    union all
    select experiment_id, arm, 'watch_hours', watch_hours, watch_hours_before
    from viewers where is_complete

),

slopes as (

    select
        experiment_id,
        metric,
        avg(before) as mean_before,
        case when var_pop(before) > 0 then covar_pop(measured, before) / var_pop(before) else 0.0 end as slope
    from metrics
    group by all

),

adjusted as (

    select
        metrics.*,
        metrics.measured - slopes.slope * (metrics.before - slopes.mean_before) as adjusted
    from metrics
    inner join slopes on metrics.experiment_id = slopes.experiment_id and metrics.metric = slopes.metric

),

arms as (

    select
        declared.experiment_id,
        declared.arm,
        names.metric,
        declared.is_control,
        declared.share,
        (
            select count(*) from viewers
            where viewers.experiment_id = declared.experiment_id and viewers.arm = declared.arm
        ) as viewers_assigned,
        count(adjusted.adjusted) as viewers,
        avg(adjusted.measured) as mean,
        avg(adjusted.adjusted) as adjusted_mean,
        var_samp(adjusted.adjusted) / nullif(count(adjusted.adjusted), 0) as squared_error,
        case when var_samp(adjusted.measured) > 0
            then 1 - var_samp(adjusted.adjusted) / var_samp(adjusted.measured)
        end as variance_removed
    from declared
    cross join (values ('plays'), ('watch_hours')) as names (metric)
    left join adjusted
        on declared.experiment_id = adjusted.experiment_id
        and declared.arm = adjusted.arm
        and names.metric = adjusted.metric
    group by all

),

compared as (

    select
        arms.*,
        case when not arms.is_control then arms.adjusted_mean - control.adjusted_mean end as difference,
        case when not arms.is_control then sqrt(arms.squared_error + control.squared_error) end as standard_error,
        arms.viewers + control.viewers as compared_viewers,
        least(arms.viewers, control.viewers) >= {{ var('experiment_min_viewers') }} as is_enough
    from arms
    inner join arms as control
        on arms.experiment_id = control.experiment_id
        and arms.metric = control.metric
        and control.is_control

),

bounded as (

    select
        *,
        case when is_enough then {{ always_valid_radius('standard_error', 'compared_viewers') }} end as radius
    from compared

)

select
    experiment_id,
    arm,
    metric,
    is_control,
    share,
    viewers_assigned,
    viewers,
    mean,
    adjusted_mean,
    variance_removed,
    difference,
    standard_error,
    difference - radius as difference_low,
    difference + radius as difference_high,
    case
        when is_control then 'control'
        when not is_enough then 'too few viewers'
        when difference - radius > 0 then 'more'
        when difference + radius < 0 then 'less'
        else 'no difference shown'
    end as verdict
from bounded
