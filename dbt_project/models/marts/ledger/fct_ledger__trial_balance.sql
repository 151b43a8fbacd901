with

balances as (

    select * from {{ ref('fct_ledger__balances') }}

),

totals as (

    select
        as_of_date,
        currency,
        code,
        any_value(kind) as kind,
        count(*) as ledger_accounts,
        cast(coalesce(sum(balance_minor) filter (where balance_minor > 0), 0) as bigint) as debit_minor,
        cast(coalesce(-sum(balance_minor) filter (where balance_minor < 0), 0) as bigint) as credit_minor,
        cast(sum(balance_minor) as bigint) as balance_minor,
        max(ledger_head) as ledger_head,
        case when bool_or(source = 'synthetic') then 'synthetic' else any_value(source) end as source

    from balances
    group by as_of_date, currency, code

)

select
    currency,
    code,
    kind,
    ledger_accounts,
    debit_minor,
    credit_minor,
    balance_minor,
    {{ minor_to_amount('balance_minor', 'currency') }} as balance_amount,
    ledger_head,
    source,
    as_of_date

from totals
