
  
  create view "warehouse"."main"."stg_market__corporate_actions__dbt_tmp" as (
    with

corporate_actions as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_market__corporate_actions/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

)

select
    instrument_id,
    kind,
    split_ratio,
    dividend_e4,
    file,
    line,
    source,
    as_of_date,
    known_at

from corporate_actions
  );
