with

calls as (

    select * from {{ source('lake', 'calc_margin__calls') }}

)

select
    call_id,
    slice,
    account_id,
    currency,
    equity_minor,
    requirement_minor,
    call_minor,
    shortfall_minor,
    {{ minor_to_amount('equity_minor', 'currency') }} as equity_amount,
    {{ minor_to_amount('requirement_minor', 'currency') }} as requirement_amount,
    {{ minor_to_amount('call_minor', 'currency') }} as call_amount,
    {{ minor_to_amount('shortfall_minor', 'currency') }} as shortfall_amount,
    due_on,
    explanation,
    price_basis,
    rulebook_edition,
    house_edition,
    ledger_head,
    source,
    known_at,
    as_of_date

from calls
