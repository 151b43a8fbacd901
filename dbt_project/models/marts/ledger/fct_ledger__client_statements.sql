with

journal as (

    select * from {{ ref('fct_ledger__journal') }}

),

securities_journal as (

    select * from {{ ref('fct_ledger__securities_journal') }}

),

balances as (

    select * from {{ ref('stg_books__balances') }}

),

holdings as (

    select * from {{ ref('stg_books__holdings') }}

),

-- What an account has after a line is what it closes with less what came later: one day alone answers for itself.
money as (

    select
        journal.account_id,
        journal.sequence,
        journal.transfer_id,
        journal.event_id,
        journal.template,
        journal.side,
        journal.ledger_account_id,
        journal.contra_account_id,
        journal.code,
        journal.currency,
        journal.signed_minor,
        cast(
            balances.balance_minor - coalesce(sum(journal.signed_minor) over later, 0) as bigint
        ) as balance_minor,
        journal.effective_on,
        journal.reverses,
        journal.source,
        journal.as_of_date,
        journal.known_at

    from journal
    left join balances
        on
            journal.ledger_account_id = balances.ledger_account_id
            and journal.as_of_date = balances.as_of_date
    where journal.account_id is not null
    window later as (
        partition by journal.as_of_date, journal.account_id, journal.ledger_account_id
        order by journal.sequence
        rows between 1 following and unbounded following
    )

),

shares as (

    select
        securities_journal.account_id,
        securities_journal.sequence,
        securities_journal.transfer_id,
        securities_journal.event_id,
        securities_journal.template,
        securities_journal.side,
        securities_journal.ledger_account_id,
        securities_journal.contra_account_id,
        securities_journal.code,
        securities_journal.instrument_id,
        securities_journal.signed_shares,
        cast(
            coalesce(holdings.balance_shares, 0) - coalesce(sum(securities_journal.signed_shares) over later, 0)
            as bigint
        ) as balance_shares,
        securities_journal.effective_on,
        securities_journal.reverses,
        securities_journal.source,
        securities_journal.as_of_date,
        securities_journal.known_at

    from securities_journal
    left join holdings
        on
            securities_journal.ledger_account_id = holdings.ledger_account_id
            and securities_journal.instrument_id = holdings.instrument_id
            and securities_journal.as_of_date = holdings.as_of_date
    where securities_journal.account_id is not null
    window later as (
        partition by
            securities_journal.as_of_date,
            securities_journal.account_id,
            securities_journal.ledger_account_id,
            securities_journal.instrument_id
        order by securities_journal.sequence
        rows between 1 following and unbounded following
    )

),

lines as (

    select * from money
    union all by name
    select * from shares

)

select
    account_id,
    sequence,
    transfer_id,
    event_id,
    template,
    side,
    ledger_account_id,
    contra_account_id,
    code,
    currency,
    signed_minor,
    balance_minor,
    case when currency is not null then {{ minor_to_amount('balance_minor', 'currency') }} end as balance_amount,
    instrument_id,
    signed_shares,
    balance_shares,
    effective_on,
    reverses,
    source,
    as_of_date,
    known_at

from lines
