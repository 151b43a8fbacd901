
  
  create view "warehouse"."main"."stg_books__contracts__dbt_tmp" as (
    with

contracts as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_books__contracts/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

)

select
    contract_id,
    account_id,
    currency,
    principal_minor,
    opened_on,
    matures_on,
    ledger_head,
    source,
    as_of_date,
    known_at

from contracts
  );
