with

accounts as (

    select * from {{ ref('stg_books__accounts') }}

)

select
    account_id,
    client_id,
    market,
    currency,
    rulebook,
    opened_on,
    ledger_head,
    source,
    known_at,
    as_of_date

from accounts
where as_of_date = (select max(newest.as_of_date) from accounts as newest)
