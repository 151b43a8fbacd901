with

corporate_actions as (

    select * from {{ source('lake', 'raw_market__corporate_actions') }}

)

select
    instrument_id,
    kind,
    split_ratio,
    dividend_e4,
    file,
    line,
    source,
    as_of_date,
    known_at

from corporate_actions
