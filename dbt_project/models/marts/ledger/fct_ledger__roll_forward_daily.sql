{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='as_of_date',
        on_schema_change='append_new_columns'
    )
}}

with

rolled as (

    {{ roll_forward(
        lines=ref('int_ledger__journal_lines'),
        closed=(this if is_incremental() else none),
        previous=previous_close(),
        day=closing_day()
    ) }}

),

ledger_accounts as (

    select * from {{ ref('stg_books__ledger_accounts') }}
    where as_of_date = {{ closing_day() }}

)

select
    rolled.ledger_account_id,
    ledger_accounts.code,
    ledger_accounts.kind,
    ledger_accounts.account_id,
    rolled.currency,
    rolled.lines,
    rolled.opening_minor,
    rolled.debits_minor,
    rolled.credits_minor,
    rolled.closing_minor,
    {{ minor_to_amount('rolled.closing_minor', 'rolled.currency') }} as closing_amount,
    ledger_accounts.ledger_head,
    rolled.source,
    rolled.as_of_date

from rolled
left join ledger_accounts on rolled.ledger_account_id = ledger_accounts.ledger_account_id
