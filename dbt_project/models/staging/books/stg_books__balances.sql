with

balances as (

    select * from {{ source('lake', 'raw_books__balances') }}

)

select
    ledger_account_id,
    currency,
    balance_minor,
    debits_pending_minor,
    credits_pending_minor,
    ledger_head,
    source,
    as_of_date,
    known_at

from balances
