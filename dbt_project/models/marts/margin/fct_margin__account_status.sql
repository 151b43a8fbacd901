with

accounts as (

    select
        *,
        -- Who holds nothing and owes nothing needs nothing. Anybody else without a requirement is unproven: null.
        case when positions = 0 and debt_minor = 0 and interest_minor = 0 then cast(0 as bigint) end
            as requirement_of_nothing_minor

    from {{ ref('int_margin__accounts_valued') }}

),

requirements as (

    select * from {{ source('lake', 'calc_margin__requirements') }}

),

-- An account is judged only where requirements were computed; a slice nobody judged is no clean bill of health.
judged_slices as (

    select distinct
        as_of_date,
        slice

    from requirements

),

judged as (

    select
        accounts.*,
        coalesce(requirements.requirement_exchange_minor, accounts.requirement_of_nothing_minor)
            as requirement_exchange_minor,
        coalesce(requirements.requirement_house_minor, accounts.requirement_of_nothing_minor)
            as requirement_house_minor,
        coalesce(requirements.requirement_minor, accounts.requirement_of_nothing_minor) as requirement_minor,
        coalesce(requirements.restore_minor, accounts.requirement_of_nothing_minor) as restore_minor,
        requirements.rulebook_edition,
        requirements.house_edition,
        requirements.ledger_head as requirement_ledger_head

    from accounts
    inner join judged_slices
        on
            accounts.as_of_date = judged_slices.as_of_date
            and accounts.slice = judged_slices.slice
    left join requirements
        on
            accounts.account_id = requirements.account_id
            and accounts.as_of_date = requirements.as_of_date
            and accounts.slice = requirements.slice

)

select
    account_id,
    slice,
    slice_rank,
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
    equity_minor - requirement_minor as excess_minor,
    maintenance_ratio,
    equity_minor < requirement_minor as is_in_call,
    {{ minor_to_amount('equity_minor', 'currency') }} as equity_amount,
    {{ minor_to_amount('requirement_minor', 'currency') }} as requirement_amount,
    {{ minor_to_amount('(equity_minor - requirement_minor)', 'currency') }} as excess_amount,
    rulebook_edition,
    house_edition,
    ledger_head,
    requirement_ledger_head,
    source,
    as_of_date

from judged
