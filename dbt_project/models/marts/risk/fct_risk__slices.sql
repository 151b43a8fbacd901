with

slices as (

    select * from {{ source('lake', 'calc_risk__slices') }}

)

select
    currency,
    slice,
    sliced_at,
    accounts,
    accounts_in_call,
    accounts_in_call / nullif(accounts, 0) as accounts_in_call_ratio,
    market_value_minor,
    debt_minor,
    equity_minor,
    var_99_minor,
    es_975_minor,
    {{ minor_to_amount('market_value_minor', 'currency') }} as market_value_amount,
    {{ minor_to_amount('debt_minor', 'currency') }} as debt_amount,
    {{ minor_to_amount('equity_minor', 'currency') }} as equity_amount,
    {{ minor_to_amount('var_99_minor', 'currency') }} as var_99_amount,
    {{ minor_to_amount('es_975_minor', 'currency') }} as es_975_amount,
    scenarios,
    ledger_head,
    source,
    known_at,
    as_of_date

from slices
