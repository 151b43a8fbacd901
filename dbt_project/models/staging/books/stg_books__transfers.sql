with

transfers as (

    select * from {{ source('lake', 'raw_books__transfers') }}

)

select
    sequence,
    transfer_id,
    template,
    debit_account_id,
    credit_account_id,
    amount_minor,
    currency,
    effective_on,
    event_id,
    phase,
    pending_id,
    expires_on,
    reverses,
    approval_id,
    counterparty,
    channel,
    booked_on,
    entry_hash,
    source,
    as_of_date,
    known_at

from transfers
