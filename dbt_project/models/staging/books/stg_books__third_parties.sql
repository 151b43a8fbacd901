with

third_parties as (

    select * from {{ source('lake', 'raw_books__third_parties') }}

)

select
    third_party_id,
    role,
    name,
    ledger_account_id,
    ledger_head,
    source,
    as_of_date,
    known_at

from third_parties
