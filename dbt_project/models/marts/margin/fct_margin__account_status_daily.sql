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

select * exclude (slice, slice_rank)

from account_status
where
    slice = 'close'
    {%- if business_day() %}
    and as_of_date = {{ business_day() }}
    {%- elif is_incremental() %}
    -- Days already closed are superseded by name only.
    and as_of_date > (select max(closed.as_of_date) from {{ this }} as closed)
    {%- endif %}
