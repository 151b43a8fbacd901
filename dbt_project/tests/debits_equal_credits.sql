-- Per currency and day the ledger's debit balances equal its credit balances; a row here is a difference.
select
    as_of_date,
    currency,
    cast(sum(debit_minor) as bigint) as debit_minor,
    cast(sum(credit_minor) as bigint) as credit_minor

from {{ ref('fct_ledger__trial_balance') }}
{%- if business_day() %}
where as_of_date = {{ business_day() }}
{%- endif %}
group by as_of_date, currency
having sum(debit_minor) != sum(credit_minor)
