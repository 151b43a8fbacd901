with

ledger_accounts as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_books__ledger_accounts/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

)

select
    ledger_account_id,
    code,
    kind,
    account_id,
    currency,
    ledger_head,
    source,
    as_of_date,
    known_at

from ledger_accounts