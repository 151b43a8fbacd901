
  
  create view "warehouse"."main"."stg_market__prices__dbt_tmp" as (
    with

prices as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_market__prices/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

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
  );
