{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='as_of_date',
        on_schema_change='append_new_columns'
    )
}}

with

lines as (

    select
        *,
        split_part(ledger_account_id, '.', 1) as code,
        split_part(contra_account_id, '.', 1) as contra_code

    from {{ ref('int_ledger__journal_lines') }}
    where
        as_of_date > {{ previous_close() }}
        and as_of_date <= {{ closing_day() }}

),

ledger_accounts as (

    select * from {{ ref('stg_books__ledger_accounts') }}
    where
        as_of_date > {{ previous_close() }}
        and as_of_date <= {{ closing_day() }}

),

accounts as (

    select * from {{ ref('stg_books__accounts') }}
    where
        as_of_date > {{ previous_close() }}
        and as_of_date <= {{ closing_day() }}

),

own_counterparties as (

    select distinct
        as_of_date,
        account_id,
        counterparty

    from {{ source('lake', 'raw_clients__counterparties') }}
    where
        as_of_date > {{ previous_close() }}
        and as_of_date <= {{ closing_day() }}

),

-- A trade is money between a client and clearing (1310, 2310); on a financed buy it is owed before it is lent.
movements as (

    select
        *,
        case
            when code = '2010' and side = 'credit' and template in ('client_deposit', 'call_topped_up') then 'deposit'
            when code = '2010' and side = 'debit' and template = 'client_withdrawal' then 'withdrawal'
            when code = '2010' and side = 'credit' and contra_code = '1310' then 'trade'
            when code in ('1320', '2010') and side = 'debit' and contra_code = '2310' then 'trade'
        end as kind

    from lines
    where reverses is null

)

select
    movements.transfer_id,
    movements.sequence,
    ledger_accounts.account_id,
    accounts.client_id,
    accounts.market,
    movements.currency,
    movements.kind,
    movements.amount_minor,
    movements.channel,
    case
        when movements.channel is null and movements.counterparty is null then null
        when own_counterparties.counterparty is not null then 'client'
        when movements.counterparty is not null then 'somebody else'
        else 'nobody known'
    end as payer,
    movements.booked_on,
    movements.source,
    movements.as_of_date,
    movements.known_at

from movements
inner join ledger_accounts
    on
        movements.ledger_account_id = ledger_accounts.ledger_account_id
        and movements.as_of_date = ledger_accounts.as_of_date
left join accounts
    on
        ledger_accounts.account_id = accounts.account_id
        and movements.as_of_date = accounts.as_of_date
left join own_counterparties
    on
        ledger_accounts.account_id = own_counterparties.account_id
        and movements.counterparty = own_counterparties.counterparty
        and movements.as_of_date = own_counterparties.as_of_date
where movements.kind is not null
