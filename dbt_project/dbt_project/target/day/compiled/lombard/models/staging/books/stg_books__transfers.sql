with

transfers as (

    select * from read_parquet('/tmp/lead/desk/lake/raw_books__transfers/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

)

select
    sequence,
    transfer_id,
    template,
    debit_account_id,
    credit_account_id,
    amount_minor,
    currency,
    effective_on,
    entry_hash,
    source,
    as_of_date,
    known_at

from transfers