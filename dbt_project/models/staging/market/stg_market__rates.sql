with

rates as (

    select * from {{ source('lake', 'raw_market__rates') }}

)

select
    currency,
    tenor_days,
    rate_e8,
    file,
    line,
    source,
    as_of_date,
    known_at

from rates
