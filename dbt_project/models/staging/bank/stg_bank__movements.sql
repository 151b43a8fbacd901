with

movements as (

    select * from {{ source('lake', 'raw_bank__movements') }}

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
