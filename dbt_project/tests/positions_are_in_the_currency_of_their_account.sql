-- An account is valued in one currency; a position in another would be added to it as if it were the same.
select
    positions.as_of_date,
    positions.slice,
    positions.account_id,
    positions.instrument_id,
    positions.currency,
    accounts.currency as account_currency

from {{ ref('int_collateral__positions_priced') }} as positions
inner join {{ ref('stg_books__accounts') }} as accounts
    on
        positions.account_id = accounts.account_id
        and positions.as_of_date = accounts.as_of_date
where
    positions.currency != accounts.currency
    {%- if business_day() %}
    and positions.as_of_date = {{ business_day() }}
    {%- endif %}
