with

accounts as (

    select * from {{ ref('stg_books__accounts') }}

),

slices as (

    select * from {{ ref('int_market__slices') }}

),

positions as (

    select * from {{ ref('int_collateral__positions_priced') }}

),

balances as (

    select * from {{ ref('stg_books__balances') }}

),

ledger_accounts as (

    select * from {{ ref('stg_books__ledger_accounts') }}

),

holdings as (

    select
        account_id,
        as_of_date,
        slice,
        count(*) as positions,
        count(*) filter (where market_value_minor is null) as unpriced_positions,
        cast(coalesce(sum(market_value_minor) filter (where market_value_minor > 0), 0) as bigint)
            as long_value_minor,
        cast(coalesce(-sum(market_value_minor) filter (where market_value_minor < 0), 0) as bigint)
            as short_value_minor,
        case when bool_or(source = 'synthetic') then 'synthetic' else any_value(source) end as source

    from positions
    group by account_id, as_of_date, slice

),

-- Balances are debit-positive: what we owe the client (2010) is negative there and positive here.
client_balances as (

    select
        ledger_accounts.account_id,
        ledger_accounts.as_of_date,
        cast(-coalesce(sum(balances.balance_minor) filter (where ledger_accounts.code = '2010'), 0) as bigint)
            as cash_minor,
        cast(coalesce(sum(balances.balance_minor) filter (where ledger_accounts.code in ('1210', '1320')), 0) as bigint)
            as debt_minor,
        cast(coalesce(sum(balances.balance_minor) filter (where ledger_accounts.code = '1220'), 0) as bigint)
            as interest_minor

    from ledger_accounts
    inner join balances
        on
            ledger_accounts.ledger_account_id = balances.ledger_account_id
            and ledger_accounts.as_of_date = balances.as_of_date
    where ledger_accounts.account_id is not null
    group by ledger_accounts.account_id, ledger_accounts.as_of_date

),

valued as (

    select
        accounts.account_id,
        accounts.as_of_date,
        slices.slice,
        slices.slice_rank,
        accounts.client_id,
        accounts.market,
        accounts.currency,
        accounts.rulebook,
        accounts.opened_on,
        coalesce(holdings.positions, 0) as positions,
        coalesce(holdings.unpriced_positions, 0) as unpriced_positions,
        -- A total that leaves a position out looks right and is not: it is null instead.
        case when coalesce(holdings.unpriced_positions, 0) = 0 then coalesce(holdings.long_value_minor, 0) end
            as long_value_minor,
        case when coalesce(holdings.unpriced_positions, 0) = 0 then coalesce(holdings.short_value_minor, 0) end
            as short_value_minor,
        coalesce(client_balances.cash_minor, 0) as cash_minor,
        coalesce(client_balances.debt_minor, 0) as debt_minor,
        coalesce(client_balances.interest_minor, 0) as interest_minor,
        accounts.ledger_head,
        {{ source_of_both('accounts.source', 'holdings.source') }} as source

    from accounts
    inner join slices on accounts.as_of_date = slices.as_of_date
    left join holdings
        on
            accounts.account_id = holdings.account_id
            and slices.as_of_date = holdings.as_of_date
            and slices.slice = holdings.slice
    left join client_balances
        on
            accounts.account_id = client_balances.account_id
            and accounts.as_of_date = client_balances.as_of_date

)

select
    account_id,
    as_of_date,
    slice,
    slice_rank,
    client_id,
    market,
    currency,
    rulebook,
    opened_on,
    positions,
    unpriced_positions,
    long_value_minor,
    short_value_minor,
    long_value_minor - short_value_minor as market_value_minor,
    cash_minor,
    debt_minor,
    interest_minor,
    cash_minor + long_value_minor - short_value_minor - debt_minor - interest_minor as equity_minor,
    cash_minor + long_value_minor as assets_minor,
    (cash_minor + long_value_minor) / nullif(debt_minor + interest_minor + short_value_minor, 0) as maintenance_ratio,
    ledger_head,
    source

from valued
