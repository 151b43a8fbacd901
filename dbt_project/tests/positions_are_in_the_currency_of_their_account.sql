-- An account is valued in one currency; a position in another would be added to it as if it were the same.
select
    positions.as_of_date,
    positions.account_id,
    accounts.currency as account_currency,
    positions.instrument_id,
    instruments.currency as instrument_currency

from {{ ref('stg_books__positions') }} as positions
inner join {{ ref('stg_books__accounts') }} as accounts
    on
        positions.account_id = accounts.account_id
        and positions.as_of_date = accounts.as_of_date
inner join {{ ref('dim_market__instruments') }} as instruments on positions.instrument_id = instruments.instrument_id
where
    accounts.currency != instruments.currency
    {%- if business_day() %}
    and positions.as_of_date = {{ business_day() }}
    {%- endif %}
