with

loan_rates as (

    select * from {{ source('lake', 'calc_pricing__loan_rates') }}

)

select
    contract_id,
    account_id,
    currency,
    principal_minor,
    {{ minor_to_amount('principal_minor', 'currency') }} as principal_amount,
    risk_free_e8,
    funding_premium_e8,
    expected_loss_premium_e8,
    rate_e8,
    rate_e8 / 100000000 as rate_ratio,
    pd_ratio,
    lgd_ratio,
    volatility_ratio,
    house_edition,
    ledger_head,
    source,
    known_at,
    as_of_date

from loan_rates
