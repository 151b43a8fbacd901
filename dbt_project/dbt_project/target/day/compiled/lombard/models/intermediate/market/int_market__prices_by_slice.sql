with

slices as (

    select * from "warehouse"."main"."int_market__slices"

),

instruments as (

    select * from "warehouse"."main"."stg_market__instruments"

),

daily_bars as not materialized (

    select * from "warehouse"."main"."stg_market__daily_bars"

),

prices as (

    select * from "warehouse"."main"."stg_market__prices"

),

-- Made once a morning, so that a tick does not read the whole history of bars for a price that no longer moves.
previous_closes as (

    select * from read_parquet('/tmp/lead/desk/lake/calc_market__previous_closes/*/*.parquet', hive_partitioning = true, hive_types = {'as_of_date': DATE}, union_by_name = false)

),

-- What is known of a price on a day, and from which slice on: '' is from the opening.
observations as (

    select
        instrument_id,
        as_of_date,
        'close' as known_from_slice,
        'bar' as price_kind,
        1 as preference,
        price_close_e4 as price_e4,
        as_of_date as price_date,
        cast(null as timestamptz) as quoted_at,
        source as price_source,
        line

    from daily_bars

    union all

    select
        instrument_id,
        as_of_date,
        batch as known_from_slice,
        'quote' as price_kind,
        2 as preference,
        price_e4,
        as_of_date as price_date,
        quoted_at,
        source as price_source,
        line

    from prices

    union all

    select
        instrument_id,
        as_of_date,
        '' as known_from_slice,
        'previous_close' as price_kind,
        3 as preference,
        price_e4,
        price_date,
        cast(null as timestamptz) as quoted_at,
        source as price_source,
        0 as line

    from previous_closes

),

-- The newest quote is the one made last, not the one that came last: a late tick overrides nothing.
chosen as (

    select
        observations.instrument_id,
        observations.as_of_date,
        slices.slice,
        slices.slice_rank,
        observations.price_e4,
        observations.price_date,
        observations.quoted_at,
        observations.price_kind,
        observations.price_source

    from slices
    inner join observations
        on
            slices.as_of_date = observations.as_of_date
            and (slices.slice != 'open' or observations.known_from_slice = '')
            and slices.slice >= observations.known_from_slice
    qualify
        row_number() over (
            partition by observations.as_of_date, slices.slice, observations.instrument_id
            order by
                observations.preference asc,
                observations.quoted_at desc,
                observations.known_from_slice desc,
                observations.line desc
        ) = 1

)

select
    chosen.instrument_id,
    chosen.as_of_date,
    chosen.slice,
    chosen.slice_rank,
    chosen.price_e4,
    instruments.currency,
    chosen.price_date,
    chosen.quoted_at,
    chosen.price_kind,
    chosen.price_source

from chosen
left join instruments
    on
        chosen.instrument_id = instruments.instrument_id
        and chosen.as_of_date >= instruments.effective_from_date
        and chosen.as_of_date < instruments.effective_until_date