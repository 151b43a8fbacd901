with

ledger_accounts as (

    select * from {{ source('lake', 'raw_books__ledger_accounts') }}

)

select
    ledger_account_id,
    code,
    kind,
    account_id,
    currency,
    ledger_head,
    source,
    as_of_date,
    known_at

from ledger_accounts
