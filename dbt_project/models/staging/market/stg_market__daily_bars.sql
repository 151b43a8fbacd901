with

daily_bars as (

    select * from {{ source('lake', 'raw_market__daily_bars') }}

)

select
    instrument_id,
    price_open_e4,
    price_high_e4,
    price_low_e4,
    price_close_e4,
    volume_shares,
    file,
    line,
    source,
    as_of_date,
    known_at

from daily_bars
