with

positions as (

    select * from {{ source('lake', 'raw_books__positions') }}

)

select
    account_id,
    instrument_id,
    quantity_shares,
    ledger_head,
    source,
    as_of_date,
    known_at

from positions
