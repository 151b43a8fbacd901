with

accounts as (

    select * from {{ source('lake', 'raw_books__accounts') }}

)

select
    account_id,
    client_id,
    market,
    currency,
    rulebook,
    opened_on,
    ledger_head,
    source,
    as_of_date,
    known_at

from accounts
