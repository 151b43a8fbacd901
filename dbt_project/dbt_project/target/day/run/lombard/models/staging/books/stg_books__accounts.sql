
  
  create view "warehouse"."main"."stg_books__accounts__dbt_tmp" as (
    with

accounts as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_books__accounts/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

)

select
    account_id,
    client_id,
    market,
    currency,
    rulebook,
    opened_on,
    ledger_head,
    source,
    as_of_date,
    known_at

from accounts
  );
