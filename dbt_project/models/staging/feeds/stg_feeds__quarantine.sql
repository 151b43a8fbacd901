with

quarantine as (

    select * from {{ source('lake', 'raw_feeds__quarantine') }}

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
