{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='as_of_date',
        on_schema_change='append_new_columns'
    )
}}

with

journal_lines as (

    select * from {{ ref('int_ledger__journal_lines') }}
    where
        as_of_date > {{ previous_close() }}
        and as_of_date <= {{ closing_day() }}

),

classes as (

    select distinct
        code,
        kind

    from {{ ref('stg_books__ledger_accounts') }}
    where as_of_date = {{ closing_day() }}

),

totals as (

    select
        as_of_date,
        effective_on,
        currency,
        split_part(ledger_account_id, '.', 1) as code,
        count(*) as lines,
        cast(coalesce(sum(signed_minor) filter (where side = 'debit'), 0) as bigint) as debits_minor,
        cast(coalesce(-sum(signed_minor) filter (where side = 'credit'), 0) as bigint) as credits_minor,
        case when bool_or(source = 'synthetic') then 'synthetic' else any_value(source) end as source

    from journal_lines
    group by as_of_date, effective_on, currency, split_part(ledger_account_id, '.', 1)

)

select
    totals.currency,
    totals.code,
    classes.kind,
    totals.lines,
    totals.debits_minor,
    totals.credits_minor,
    totals.effective_on,
    totals.source,
    totals.as_of_date

from totals
left join classes on totals.code = classes.code
