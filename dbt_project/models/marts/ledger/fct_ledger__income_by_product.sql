with

journal as (

    select * from {{ ref('fct_ledger__journal') }}

),

totals as (

    select
        as_of_date,
        currency,
        template,
        code,
        any_value(kind) as kind,
        count(*) as lines,
        cast(-sum(signed_minor) as bigint) as income_minor,
        case when bool_or(source = 'synthetic') then 'synthetic' else any_value(source) end as source

    from journal
    where kind in ('income', 'expense')
    group by as_of_date, currency, template, code

)

select
    template,
    code,
    kind,
    currency,
    lines,
    income_minor,
    {{ minor_to_amount('income_minor', 'currency') }} as income_amount,
    source,
    as_of_date

from totals
