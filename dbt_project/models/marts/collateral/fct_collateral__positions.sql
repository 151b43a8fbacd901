with

positions as (

    select * from {{ ref('int_collateral__positions_priced') }}

)

select
    account_id,
    instrument_id,
    slice,
    slice_rank,
    quantity_shares,
    price_e4,
    currency,
    market_value_minor,
    {{ minor_to_amount('market_value_minor', 'currency') }} as market_value_amount,
    price_kind,
    price_date,
    quoted_at,
    haircut_ratio,
    lendable_value_minor,
    {{ minor_to_amount('lendable_value_minor', 'currency') }} as lendable_value_amount,
    ledger_head,
    source,
    as_of_date

from positions
