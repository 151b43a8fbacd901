with

transfers as (

    select * from {{ source('lake', 'raw_books__security_transfers') }}

)

select
    sequence,
    transfer_id,
    template,
    debit_account_id,
    credit_account_id,
    quantity_shares,
    instrument_id,
    effective_on,
    event_id,
    phase,
    pending_id,
    expires_on,
    reverses,
    approval_id,
    booked_on,
    entry_hash,
    source,
    as_of_date,
    known_at

from transfers
