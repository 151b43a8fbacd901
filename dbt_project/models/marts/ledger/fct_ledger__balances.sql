with

balances as (

    select * from {{ ref('stg_books__balances') }}

),

ledger_accounts as (

    select * from {{ ref('stg_books__ledger_accounts') }}

)

select
    balances.ledger_account_id,
    ledger_accounts.code,
    ledger_accounts.kind,
    ledger_accounts.account_id,
    balances.currency,
    balances.balance_minor,
    balances.debits_pending_minor,
    balances.credits_pending_minor,
    {{ minor_to_amount('balances.balance_minor', 'balances.currency') }} as balance_amount,
    balances.ledger_head,
    balances.source,
    balances.as_of_date

from balances
left join ledger_accounts
    on
        balances.ledger_account_id = ledger_accounts.ledger_account_id
        and balances.as_of_date = ledger_accounts.as_of_date
