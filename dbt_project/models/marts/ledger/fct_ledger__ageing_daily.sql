{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='as_of_date',
        on_schema_change='append_new_columns'
    )
}}

with

owed as (

    select * from {{ ref('fct_ledger__roll_forward_daily') }}
    where
        as_of_date = {{ closing_day() }}
        and code in ('1220', '1320', '2010')
        and closing_minor > 0

),

debits as (

    select
        ledger_account_id,
        effective_on,
        cast(sum(amount_minor) as bigint) as debits_minor

    from {{ ref('int_ledger__journal_lines') }}
    where
        as_of_date > {{ closing_day() }} - {{ ageing_window_days() }}
        and as_of_date <= {{ closing_day() }}
        and side = 'debit'
        and split_part(ledger_account_id, '.', 1) in ('1220', '1320', '2010')
    group by ledger_account_id, effective_on

),

-- What is paid is paid off the oldest first, so what is still owed are the newest debits that add up to it.
claims as (

    select
        owed.ledger_account_id,
        greatest(0, owed.as_of_date - debits.effective_on) as age_days,
        greatest(
            0,
            least(
                debits.debits_minor,
                owed.closing_minor - sum(debits.debits_minor) over newer + debits.debits_minor
            )
        ) as outstanding_minor

    from owed
    inner join debits on owed.ledger_account_id = debits.ledger_account_id
    window newer as (
        partition by owed.ledger_account_id
        order by debits.effective_on desc
        rows between unbounded preceding and current row
    )

),

-- What those debits do not explain is older than any bucket begins.
older as (

    select
        owed.ledger_account_id,
        {{ ageing_window_days() }} as age_days,
        owed.closing_minor - coalesce(sum(claims.outstanding_minor), 0) as outstanding_minor

    from owed
    left join claims on owed.ledger_account_id = claims.ledger_account_id
    group by owed.ledger_account_id, owed.closing_minor

),

aged as (

    select * from claims
    union all
    select * from older

)

select
    owed.ledger_account_id,
    owed.code,
    owed.account_id,
    owed.currency,
    {{ ageing_schedule('owed.code') }} as ageing_schedule,
    {{ age_bucket('owed.code', 'aged.age_days') }} as age_bucket,
    cast(sum(aged.outstanding_minor) as bigint) as outstanding_minor,
    {{ minor_to_amount('cast(sum(aged.outstanding_minor) as bigint)', 'owed.currency') }} as outstanding_amount,
    owed.ledger_head,
    owed.source,
    owed.as_of_date

from owed
inner join aged on owed.ledger_account_id = aged.ledger_account_id
where aged.outstanding_minor > 0
group by
    owed.ledger_account_id,
    owed.code,
    owed.account_id,
    owed.currency,
    owed.ledger_head,
    owed.source,
    owed.as_of_date,
    {{ age_bucket('owed.code', 'aged.age_days') }}
