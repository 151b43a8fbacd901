-- What lies at the clients' bank (1010) is what we owe the clients (2010), per currency and day, to the minor unit.
select
    as_of_date,
    currency,
    cast(sum(balance_minor) as bigint) as difference_minor

from {{ ref('fct_ledger__trial_balance') }}
where
    code in ('1010', '2010')
    {%- if business_day() %}
    and as_of_date = {{ business_day() }}
    {%- endif %}
group by as_of_date, currency
having sum(balance_minor) != 0
