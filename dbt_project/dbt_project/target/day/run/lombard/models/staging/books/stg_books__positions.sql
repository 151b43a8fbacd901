
  
  create view "warehouse"."main"."stg_books__positions__dbt_tmp" as (
    with

positions as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_books__positions/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

)

select
    account_id,
    instrument_id,
    quantity_shares,
    ledger_head,
    source,
    as_of_date,
    known_at

from positions
  );
