with

-- What is pending has not moved, and what was voided or has expired never will.
transfers as (

    select *
    from {{ ref('stg_books__transfers') }}
    where phase is null or phase = 'post'

),

lines as (

    select
        transfers.*,
        'debit' as side,
        transfers.debit_account_id as ledger_account_id,
        transfers.credit_account_id as contra_account_id,
        transfers.amount_minor as signed_minor

    from transfers

    union all

    select
        transfers.*,
        'credit' as side,
        transfers.credit_account_id as ledger_account_id,
        transfers.debit_account_id as contra_account_id,
        -transfers.amount_minor as signed_minor

    from transfers

)

select
    sequence,
    transfer_id,
    event_id,
    template,
    side,
    ledger_account_id,
    contra_account_id,
    amount_minor,
    signed_minor,
    currency,
    effective_on,
    booked_on,
    reverses,
    counterparty,
    channel,
    entry_hash,
    source,
    as_of_date,
    known_at

from lines
