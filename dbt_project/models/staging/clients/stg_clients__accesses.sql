with

accesses as (

    select * from {{ source('lake', 'raw_clients__accesses') }}

)

select
    access_id,
    account_id,
    device_hash,
    accessed_at,
    source,
    as_of_date,
    known_at

from accesses
