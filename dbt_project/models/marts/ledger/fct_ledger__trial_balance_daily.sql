{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='known_on',
        on_schema_change='append_new_columns'
    )
}}

with

turnover as (

    select * from {{ ref('fct_ledger__turnover_daily') }}
    where as_of_date <= {{ closing_day() }}

),

-- The day itself, and every closed day that something reaches back to which was not known before. Each gets a version
-- of its own; the versions before it stay as they were.
days as (

    select {{ closing_day() }} as as_of_date
    {%- if is_incremental() %}
    union
    select closed.as_of_date
    from {{ this }} as closed
    where
        closed.as_of_date < {{ closing_day() }}
        and closed.known_on < {{ closing_day() }}
        and closed.as_of_date >= (
            select min(turnover.effective_on)
            from turnover
            where turnover.as_of_date > {{ previous_close('known_on') }}
        )
    {%- endif %}

),

totals as (

    select
        days.as_of_date,
        turnover.currency,
        turnover.code,
        any_value(turnover.kind) as kind,
        cast(sum(turnover.debits_minor) as bigint) as debits_minor,
        cast(sum(turnover.credits_minor) as bigint) as credits_minor,
        cast(sum(turnover.debits_minor) - sum(turnover.credits_minor) as bigint) as balance_minor,
        case when bool_or(turnover.source = 'synthetic') then 'synthetic' else any_value(turnover.source) end as source

    from days
    inner join turnover on days.as_of_date >= turnover.effective_on
    group by days.as_of_date, turnover.currency, turnover.code

)

select
    currency,
    code,
    kind,
    debits_minor,
    credits_minor,
    balance_minor,
    {{ minor_to_amount('balance_minor', 'currency') }} as balance_amount,
    source,
    as_of_date,
    {{ closing_day() }} as known_on

from totals
