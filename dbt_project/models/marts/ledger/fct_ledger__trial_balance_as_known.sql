with

turnover as (

    select * from {{ ref('fct_ledger__turnover_daily') }}

),

days as (

    select cast(unnest(generate_series(min(effective_on), max(as_of_date), interval 1 day)) as date) as calendar_date
    from turnover

),

-- Every day as known on itself or later; asked for one day and one moment, it reads the sums of days and no lines.
moments as (

    select
        described.calendar_date as as_of_date,
        known.calendar_date as known_on

    from days as described
    inner join days as known on described.calendar_date <= known.calendar_date

),

totals as (

    select
        moments.as_of_date,
        moments.known_on,
        turnover.currency,
        turnover.code,
        any_value(turnover.kind) as kind,
        cast(sum(turnover.debits_minor) as bigint) as debits_minor,
        cast(sum(turnover.credits_minor) as bigint) as credits_minor,
        cast(sum(turnover.debits_minor) - sum(turnover.credits_minor) as bigint) as balance_minor,
        case when bool_or(turnover.source = 'synthetic') then 'synthetic' else any_value(turnover.source) end as source

    from moments
    inner join turnover
        on
            moments.as_of_date >= turnover.effective_on
            and moments.known_on >= turnover.as_of_date
    group by moments.as_of_date, moments.known_on, turnover.currency, turnover.code

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
    known_on

from totals
