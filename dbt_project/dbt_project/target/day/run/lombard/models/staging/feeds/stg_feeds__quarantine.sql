
  
  create view "warehouse"."main"."stg_feeds__quarantine__dbt_tmp" as (
    with

quarantine as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_feeds__quarantine/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

)

select
    feed,
    batch,
    reason,
    explanation,
    raw_text,
    file,
    line,
    source,
    as_of_date,
    known_at

from quarantine
  );
