with

slices as (

    select * from {{ ref('int_market__slices') }}

),

accounts as not materialized (

    select * from {{ ref('stg_books__accounts') }}

),

instruments as (

    select * from {{ ref('stg_market__instruments') }}

),

daily_bars as not materialized (

    select * from {{ ref('stg_market__daily_bars') }}

),

prices as (

    select * from {{ ref('stg_market__prices') }}

),

splits as (

    select * from {{ ref('stg_market__corporate_actions') }}
    where kind = 'split'

),

days as (

    select distinct as_of_date from accounts

),

latest_closes as (

    select
        days.as_of_date,
        daily_bars.instrument_id,
        max(daily_bars.as_of_date) as price_date,
        arg_max(daily_bars.price_close_e4, daily_bars.as_of_date) as price_e4,
        arg_max(daily_bars.source, daily_bars.as_of_date) as price_source

    from days
    inner join daily_bars on days.as_of_date > daily_bars.as_of_date
    group by days.as_of_date, daily_bars.instrument_id

),

-- New shares per old between the close and the day it is carried to, so that a split is not mistaken for a crash.
previous_closes as (

    select
        latest_closes.as_of_date,
        latest_closes.instrument_id,
        latest_closes.price_date,
        latest_closes.price_e4,
        latest_closes.price_source,
        coalesce(product(splits.split_ratio), 1) as split_ratio

    from latest_closes
    left join splits
        on
            latest_closes.instrument_id = splits.instrument_id
            and latest_closes.price_date < splits.as_of_date
            and latest_closes.as_of_date >= splits.as_of_date
    group by all

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
        {{ half_up(
            "cast(price_e4 as hugeint) * 1000000000", "cast(round(split_ratio * 1000000000) as hugeint)"
        ) }} as price_e4,
        price_date,
        cast(null as timestamptz) as quoted_at,
        price_source,
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
