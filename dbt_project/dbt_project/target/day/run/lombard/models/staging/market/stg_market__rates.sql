
  
  create view "warehouse"."main"."stg_market__rates__dbt_tmp" as (
    with

rates as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_market__rates/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

)

select
    currency,
    tenor_days,
    rate_e8,
    file,
    line,
    source,
    as_of_date,
    known_at

from rates
  );
