with

accounts as (

    select * from "warehouse"."main"."stg_books__accounts"

),

prices as (

    select * from "warehouse"."main"."stg_market__prices"

),

daily_bars as (

    select * from "warehouse"."main"."stg_market__daily_bars"

),

days as (

    select distinct as_of_date from accounts

),

batches as (

    select distinct
        as_of_date,
        batch

    from prices

),

-- A day can be closed once it has prices of its own; before that, "close" would be yesterday under today's name.
days_with_prices as (

    select as_of_date from daily_bars
    union
    select as_of_date from batches

),

slices as (

    select
        days.as_of_date,
        'open' as slice,
        0 as phase

    from days

    union all

    select
        batches.as_of_date,
        batches.batch as slice,
        1 as phase

    from batches
    inner join days on batches.as_of_date = days.as_of_date

    union all

    select
        days_with_prices.as_of_date,
        'close' as slice,
        2 as phase

    from days_with_prices
    inner join days on days_with_prices.as_of_date = days.as_of_date

)

select
    as_of_date,
    slice,
    cast(row_number() over (partition by as_of_date order by phase, slice) - 1 as bigint) as slice_rank

from slices