with

prices as (

    select * from {{ source('lake', 'raw_market__prices') }}

)

select
    batch,
    instrument_id,
    price_e4,
    bid_e4,
    ask_e4,
    volume_shares,
    quoted_at,
    file,
    line,
    source,
    as_of_date,
    known_at

from prices
