with

holdings as (

    select * from {{ source('lake', 'raw_books__holdings') }}

)

select
    ledger_account_id,
    code,
    account_id,
    instrument_id,
    balance_shares,
    debits_pending_shares,
    credits_pending_shares,
    ledger_head,
    source,
    as_of_date,
    known_at

from holdings
