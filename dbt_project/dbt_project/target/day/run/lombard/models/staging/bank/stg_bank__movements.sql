
  
  create view "warehouse"."main"."stg_bank__movements__dbt_tmp" as (
    with

movements as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_bank__movements/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

)

select
    bank_account_id,
    reference,
    amount_minor,
    currency,
    value_date,
    file,
    line,
    source,
    as_of_date,
    known_at

from movements
  );
