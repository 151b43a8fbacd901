with

instruments as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_market__instruments/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

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
    as_of_date as effective_from_date,
    lead(as_of_date, 1, date '9999-12-31') over (
        partition by instrument_id order by as_of_date
    ) as effective_until_date,
    source,
    as_of_date,
    known_at

from instruments