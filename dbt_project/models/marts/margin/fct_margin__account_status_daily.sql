{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='as_of_date',
        on_schema_change='append_new_columns'
    )
}}

with

account_status as (

    select * from {{ ref('fct_margin__account_status') }}

)

select
    account_id,
    client_id,
    market,
    currency,
    rulebook,
    positions,
    long_value_minor,
    short_value_minor,
    market_value_minor,
    cash_minor,
    debt_minor,
    interest_minor,
    assets_minor,
    equity_minor,
    requirement_exchange_minor,
    requirement_house_minor,
    requirement_minor,
    restore_minor,
    excess_minor,
    maintenance_ratio,
    is_in_call,
    equity_amount,
    requirement_amount,
    excess_amount,
    rulebook_edition,
    house_edition,
    ledger_head,
    requirement_ledger_head,
    source,
    as_of_date

from account_status
where
    slice = 'close'
    {%- if business_day() %}
    and as_of_date = {{ business_day() }}
    {%- elif is_incremental() %}
    -- Days already closed are superseded by name only.
    and as_of_date > (select max(closed.as_of_date) from {{ this }} as closed)
    {%- endif %}
