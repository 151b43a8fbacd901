
  
  create view "warehouse"."main"."stg_books__balances__dbt_tmp" as (
    with

balances as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_books__balances/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

)

select
    ledger_account_id,
    currency,
    balance_minor,
    ledger_head,
    source,
    as_of_date,
    known_at

from balances
  );
