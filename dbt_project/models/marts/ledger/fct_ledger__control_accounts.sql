with

balances as (

    select * from {{ ref('fct_ledger__balances') }}

),

closed_days as (

    select distinct as_of_date from {{ ref('fct_ledger__roll_forward_daily') }}

),

turnover as (

    select * from {{ ref('fct_ledger__turnover_daily') }}

),

contracts as (

    select
        as_of_date,
        currency,
        '1210' as code,
        cast(sum(principal_minor) as bigint) as contracts_minor

    from {{ ref('stg_books__contracts') }}
    group by as_of_date, currency

),

sub_ledgers as (

    select
        balances.as_of_date,
        balances.currency,
        balances.code,
        any_value(balances.kind) as kind,
        count(*) as ledger_accounts,
        cast(sum(balances.balance_minor) as bigint) as sub_ledger_minor,
        max(balances.ledger_head) as ledger_head,
        case when bool_or(balances.source = 'synthetic') then 'synthetic' else any_value(balances.source) end as source

    from balances
    inner join closed_days on balances.as_of_date = closed_days.as_of_date
    where balances.account_id is not null
    group by balances.as_of_date, balances.currency, balances.code

),

-- The control account is what the journal moved in the class as a whole, whoever it belongs to.
control as (

    select
        sub_ledgers.as_of_date,
        sub_ledgers.currency,
        sub_ledgers.code,
        cast(sum(turnover.debits_minor) - sum(turnover.credits_minor) as bigint) as control_minor

    from sub_ledgers
    inner join turnover
        on
            sub_ledgers.currency = turnover.currency
            and sub_ledgers.code = turnover.code
            and sub_ledgers.as_of_date >= turnover.as_of_date
    group by sub_ledgers.as_of_date, sub_ledgers.currency, sub_ledgers.code

)

select
    sub_ledgers.code,
    sub_ledgers.kind,
    sub_ledgers.currency,
    sub_ledgers.ledger_accounts,
    sub_ledgers.sub_ledger_minor,
    coalesce(control.control_minor, 0) as control_minor,
    coalesce(control.control_minor, 0) - sub_ledgers.sub_ledger_minor as difference_minor,
    contracts.contracts_minor,
    sub_ledgers.ledger_head,
    sub_ledgers.source,
    sub_ledgers.as_of_date

from sub_ledgers
left join control
    on
        sub_ledgers.as_of_date = control.as_of_date
        and sub_ledgers.currency = control.currency
        and sub_ledgers.code = control.code
left join contracts
    on
        sub_ledgers.as_of_date = contracts.as_of_date
        and sub_ledgers.currency = contracts.currency
        and sub_ledgers.code = contracts.code
