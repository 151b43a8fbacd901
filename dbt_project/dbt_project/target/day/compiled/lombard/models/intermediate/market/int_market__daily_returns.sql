with

daily_bars as (

    select * from "warehouse"."main"."stg_market__daily_bars"

),

corporate_actions as (

    select * from "warehouse"."main"."stg_market__corporate_actions"

),

-- An action whose ex-date falls on a day without a bar takes effect at the next bar.
actions_at_bars as (

    select
        corporate_actions.instrument_id,
        daily_bars.as_of_date,
        coalesce(product(corporate_actions.split_ratio) filter (where corporate_actions.kind = 'split'), 1)
            as split_ratio,
        cast(
            coalesce(sum(corporate_actions.dividend_e4) filter (where corporate_actions.kind = 'cash_dividend'), 0)
            as bigint
        ) as dividend_e4

    from corporate_actions
    asof inner join daily_bars
        on
            corporate_actions.instrument_id = daily_bars.instrument_id
            and corporate_actions.as_of_date <= daily_bars.as_of_date
    group by corporate_actions.instrument_id, daily_bars.as_of_date

),

closes as (

    select
        instrument_id,
        as_of_date,
        price_close_e4,
        lag(price_close_e4) over (partition by instrument_id order by as_of_date) as price_close_previous_e4,
        lag(as_of_date) over (partition by instrument_id order by as_of_date) as previous_date,
        source

    from daily_bars

)

select
    closes.instrument_id,
    closes.as_of_date,
    closes.previous_date,
    closes.price_close_e4,
    closes.price_close_previous_e4,
    coalesce(actions_at_bars.split_ratio, 1) as split_ratio,
    coalesce(actions_at_bars.dividend_e4, 0) as dividend_e4,
    ln(
        (closes.price_close_e4 + coalesce(actions_at_bars.dividend_e4, 0))
        * coalesce(actions_at_bars.split_ratio, 1)
        / closes.price_close_previous_e4
    ) as return_ratio,
    closes.source

from closes
left join actions_at_bars
    on
        closes.instrument_id = actions_at_bars.instrument_id
        and closes.as_of_date = actions_at_bars.as_of_date
where closes.price_close_previous_e4 is not null