with

transfers as (

    select * from "warehouse"."main"."stg_books__transfers"

),

lines as (

    select
        transfers.*,
        'debit' as side,
        transfers.debit_account_id as ledger_account_id,
        transfers.amount_minor as signed_minor

    from transfers

    union all

    select
        transfers.*,
        'credit' as side,
        transfers.credit_account_id as ledger_account_id,
        -transfers.amount_minor as signed_minor

    from transfers

)

select
    sequence,
    transfer_id,
    template,
    side,
    ledger_account_id,
    amount_minor,
    signed_minor,
    currency,
    effective_on,
    entry_hash,
    source,
    as_of_date

from lines