with

contracts as (

    select * from {{ source('lake', 'raw_books__contracts') }}

)

select
    contract_id,
    account_id,
    currency,
    principal_minor,
    opened_on,
    matures_on,
    ledger_head,
    source,
    as_of_date,
    known_at

from contracts
