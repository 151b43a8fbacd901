-- A client can be told what every hundred-millionth of their rate is for.
select
    as_of_date,
    contract_id,
    rate_e8,
    risk_free_e8 + funding_premium_e8 + expected_loss_premium_e8 as parts_e8

from {{ ref('fct_pricing__loan_rates') }}
where
    rate_e8 != risk_free_e8 + funding_premium_e8 + expected_loss_premium_e8
    {%- if business_day() %}
    and as_of_date = {{ business_day() }}
    {%- endif %}
