{#- A day closed on top of the day closed before it: opening + debits - credits = closing, for every ledger account that
    has a balance or moved. It reads the closing of `previous` and the lines since, never what lies before, so a close
    costs the same after ten years as after one.

    `lines` has ledger_account_id, currency, side, amount_minor, source and as_of_date; `closed` is the table this
    makes, or none before the first close; `previous` and `day` are SQL for two days. -#}
{% macro roll_forward(lines, closed, previous, day) -%}
select
    coalesce(moved.ledger_account_id, opened.ledger_account_id) as ledger_account_id,
    coalesce(moved.currency, opened.currency) as currency,
    coalesce(moved.lines, 0) as lines,
    coalesce(opened.closing_minor, 0) as opening_minor,
    coalesce(moved.debits_minor, 0) as debits_minor,
    coalesce(moved.credits_minor, 0) as credits_minor,
    coalesce(opened.closing_minor, 0) + coalesce(moved.debits_minor, 0) - coalesce(moved.credits_minor, 0)
        as closing_minor,
    case
        when moved.source = 'synthetic' or opened.source = 'synthetic' then 'synthetic'
        else coalesce(moved.source, opened.source)
    end as source,
    {{ day }} as as_of_date

from (
    select
        ledger_account_id,
        currency,
        count(*) as lines,
        cast(coalesce(sum(amount_minor) filter (where side = 'debit'), 0) as bigint) as debits_minor,
        cast(coalesce(sum(amount_minor) filter (where side = 'credit'), 0) as bigint) as credits_minor,
        case when bool_or(source = 'synthetic') then 'synthetic' else any_value(source) end as source

    from {{ lines }}
    where as_of_date > {{ previous }} and as_of_date <= {{ day }}
    group by ledger_account_id, currency
) as moved
full outer join (
    {%- if closed %}
    select
        ledger_account_id,
        currency,
        closing_minor,
        source

    from {{ closed }}
    where as_of_date = {{ previous }} and closing_minor != 0
    {%- else %}
    select
        cast(null as varchar) as ledger_account_id,
        cast(null as varchar) as currency,
        cast(null as bigint) as closing_minor,
        cast(null as varchar) as source
    where false
    {%- endif %}
) as opened
    on moved.ledger_account_id = opened.ledger_account_id and moved.currency = opened.currency
{%- endmacro %}

{#- Twin of rulebooks/house/ageing.yaml, held to it by a test: interest ages like a loan, what was advanced or overdrawn
    like a receivable. -#}
{% macro ageing_schedule(code) -%}
case when {{ code }} = '1220' then 'loans' else 'receivables' end
{%- endmacro %}

{% macro age_bucket(code, days) -%}
case
    when {{ code }} = '1220'
        then case
            when {{ days }} <= 0 then 'not due'
            when {{ days }} <= 30 then '1-30'
            when {{ days }} <= 60 then '31-60'
            when {{ days }} <= 90 then '61-90'
            else 'over 90'
        end
    when {{ days }} <= 1 then '0-1'
    when {{ days }} <= 5 then '2-5'
    else 'over 5'
end
{%- endmacro %}

{#- Days of debits an ageing looks back on: one more than the oldest bucket that has an end. -#}
{% macro ageing_window_days() -%}
91
{%- endmacro %}
