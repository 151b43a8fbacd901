
  
  create view "warehouse"."main"."int_collateral__positions_priced__dbt_tmp" as (
    with

positions as (

    select * from "warehouse"."main"."stg_books__positions"

),

prices as (

    select * from "warehouse"."main"."int_market__prices_by_slice"

),

slices as (

    select * from "warehouse"."main"."int_market__slices"

),

haircuts as (

    select * from read_parquet('/tmp/lead/desk/lake/calc_collateral__haircuts/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

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
        cast(
    sign(cast(positions.quantity_shares as hugeint) * prices.price_e4 * (case
    when prices.currency in ('USD', 'CNY', 'HKD', 'EUR', 'GBP', 'CHF') then 100
    when prices.currency = 'JPY' then 1
    when prices.currency = 'KWD' then 1000
    when prices.currency is not null then error('Unknown currency ' || prices.currency || ': add it to macros/money.sql')
end))
    * ((2 * abs(cast(cast(positions.quantity_shares as hugeint) * prices.price_e4 * (case
    when prices.currency in ('USD', 'CNY', 'HKD', 'EUR', 'GBP', 'CHF') then 100
    when prices.currency = 'JPY' then 1
    when prices.currency = 'KWD' then 1000
    when prices.currency is not null then error('Unknown currency ' || prices.currency || ': add it to macros/money.sql')
end) as hugeint)) + 10000) // (2 * cast(10000 as hugeint)))
    as bigint
)
            as market_value_minor,
        prices.price_kind,
        prices.price_date,
        prices.quoted_at,
        positions.ledger_head,
        case when prices.price_source = 'synthetic' then 'synthetic' else positions.source end as source

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
    cast(
    sign(cast(greatest(valued.market_value_minor, 0) as hugeint) * cast(round((1 - haircuts.haircut_ratio) * 1000000000) as bigint))
    * ((2 * abs(cast(cast(greatest(valued.market_value_minor, 0) as hugeint) * cast(round((1 - haircuts.haircut_ratio) * 1000000000) as bigint) as hugeint)) + 1000000000) // (2 * cast(1000000000 as hugeint)))
    as bigint
)
        as lendable_value_minor,
    valued.ledger_head,
    valued.source

from valued
left join haircuts
    on
        valued.instrument_id = haircuts.instrument_id
        and valued.as_of_date = haircuts.as_of_date
  );
