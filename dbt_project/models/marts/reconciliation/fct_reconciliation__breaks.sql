with

breaks as (

    select * from {{ source('lake', 'calc_reconciliation__breaks') }}

)

select
    subject,
    key,
    break_class,
    internal_value,
    external_value,
    difference,
    currency,
    explanation,
    file,
    line,
    source,
    known_at,
    as_of_date

from breaks
