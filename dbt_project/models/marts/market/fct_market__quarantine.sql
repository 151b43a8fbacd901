with

quarantine as (

    select * from {{ ref('stg_feeds__quarantine') }}

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
    known_at,
    as_of_date

from quarantine
