with

holdings as (

    select * from {{ ref('stg_books__holdings') }}

)

select
    ledger_account_id,
    code,
    case when code in ('9020', '9110') then 'name' else 'place' end as holder,
    account_id,
    instrument_id,
    balance_shares,
    debits_pending_shares,
    credits_pending_shares,
    ledger_head,
    source,
    as_of_date

from holdings
