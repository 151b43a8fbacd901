with

positions as (

    select * from {{ ref('stg_books__positions') }}

),

prices as (

    select * from {{ ref('int_market__prices_by_slice') }}

),

slices as (

    select * from {{ ref('int_market__slices') }}

),

haircuts as (

    select * from {{ source('lake', 'calc_collateral__haircuts') }}

),

valued as (

    select
        positions.account_id,
        positions.instrument_id,
        positions.as_of_date,
        slices.slice,
        slices.slice_rank,
        positions.quantity_shares,
        prices.price_e4,
        prices.currency,
        {{ market_value_minor('positions.quantity_shares', 'prices.price_e4', 'prices.currency') }}
            as market_value_minor,
        prices.price_kind,
        prices.price_date,
        prices.quoted_at,
        positions.ledger_head,
        {{ source_of_both('positions.source', 'prices.price_source') }} as source

    from positions
    inner join slices on positions.as_of_date = slices.as_of_date
    -- A position without a price stays, with a null value: it must be seen, not lost.
    left join prices
        on
            positions.instrument_id = prices.instrument_id
            and slices.as_of_date = prices.as_of_date
            and slices.slice = prices.slice

)

select
    valued.account_id,
    valued.instrument_id,
    valued.as_of_date,
    valued.slice,
    valued.slice_rank,
    valued.quantity_shares,
    valued.price_e4,
    valued.currency,
    valued.market_value_minor,
    valued.price_kind,
    valued.price_date,
    valued.quoted_at,
    haircuts.haircut_ratio,
    {{ ratio_of_minor('greatest(valued.market_value_minor, 0)', '(1 - haircuts.haircut_ratio)') }}
        as lendable_value_minor,
    valued.ledger_head,
    valued.source

from valued
left join haircuts
    on
        valued.instrument_id = haircuts.instrument_id
        and valued.as_of_date = haircuts.as_of_date
