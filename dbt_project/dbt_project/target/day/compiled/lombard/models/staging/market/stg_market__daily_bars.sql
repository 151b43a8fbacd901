with

daily_bars as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_market__daily_bars/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

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