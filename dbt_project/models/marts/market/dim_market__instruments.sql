with

instruments as (

    select * from {{ ref('stg_market__instruments') }}

)

select
    instrument_id,
    symbol,
    market,
    currency,
    asset_class,
    board,
    lot_size_shares,
    price_limit_ratio,
    source,
    known_at,
    as_of_date

from instruments
where effective_until_date = date '9999-12-31'
