with

positions as (

    select * from {{ source('lake', 'raw_custodian__positions') }}

)

select
    account_id,
    instrument_id,
    quantity_shares,
    file,
    line,
    source,
    as_of_date,
    known_at

from positions
