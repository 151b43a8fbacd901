with

-- What is pending has not moved, and what was voided or has expired never will.
transfers as (

    select *
    from {{ ref('stg_books__security_transfers') }}
    where phase is null or phase = 'post'

),

lines as (

    select
        transfers.*,
        'debit' as side,
        transfers.debit_account_id as ledger_account_id,
        transfers.credit_account_id as contra_account_id,
        transfers.quantity_shares as signed_shares

    from transfers

    union all

    select
        transfers.*,
        'credit' as side,
        transfers.credit_account_id as ledger_account_id,
        transfers.debit_account_id as contra_account_id,
        -transfers.quantity_shares as signed_shares

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
    split_part(ledger_account_id, '.', 1) as code,
    -- Shares in a client's name (9020) and shares a client owes (9110) belong to a client's account.
    case
        when split_part(ledger_account_id, '.', 1) in ('9020', '9110')
            then substr(ledger_account_id, 6)
    end as account_id,
    instrument_id,
    signed_shares,
    effective_on,
    booked_on,
    reverses,
    entry_hash,
    source,
    as_of_date,
    known_at

from lines
