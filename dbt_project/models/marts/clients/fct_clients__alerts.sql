{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='as_of_date',
        on_schema_change='append_new_columns'
    )
}}

with

all_movements as (

    select * from {{ ref('fct_clients__movements_daily') }}
    where as_of_date <= {{ closing_day() }}

),

accounts as (

    select * from {{ ref('stg_books__accounts') }}
    where as_of_date > {{ previous_close() }}

),

-- The lines in force at the close that first looks at a day.
thresholds as (

    select * from {{ source('lake', 'calc_clients__monitoring_thresholds') }}
    where as_of_date > {{ previous_close() }}

),

-- Whoever moved nothing new completes no pattern, however long their history.
active as (

    select distinct account_id
    from all_movements
    where as_of_date > {{ previous_close() }}

),

movements as (

    select
        all_movements.*,
        thresholds.structuring_floor_minor,
        thresholds.structuring_limit_minor,
        thresholds.structuring_hours,
        thresholds.structuring_count,
        thresholds.velocity_hours,
        thresholds.velocity_out_e8,
        thresholds.velocity_traded_e8,
        thresholds.burst_multiple,
        thresholds.burst_days,
        thresholds.burst_active_days,
        thresholds.dormant_days,
        thresholds.large_cash_from_minor,
        thresholds.house_edition,
        coalesce(
            all_movements.kind = 'deposit'
            and all_movements.amount_minor >= thresholds.structuring_floor_minor
            and all_movements.amount_minor < thresholds.structuring_limit_minor,
            false
        ) as is_small

    from all_movements
    inner join active on all_movements.account_id = active.account_id
    asof left join thresholds
        on
            all_movements.market = thresholds.market
            and all_movements.currency = thresholds.currency
            and all_movements.as_of_date <= thresholds.as_of_date

),

-- A window of some hours ends with the movement and begins just after its own moment so many hours before.
windows as (

    select
        *,
        count(*) filter (where is_small) over structuring as small_deposits,
        cast(sum(amount_minor) filter (where is_small) over structuring as bigint) as small_minor,
        count(*) over velocity as velocity_movements,
        sum(amount_minor) filter (where kind = 'deposit') over velocity as paid_in_minor,
        sum(amount_minor) filter (where kind = 'withdrawal') over velocity as paid_out_minor,
        coalesce(sum(amount_minor) filter (where kind = 'trade') over velocity, 0) as traded_minor,
        lag(known_at) over (partition by account_id order by known_at, sequence) as moved_before_at

    from movements
    window
        structuring as (
            partition by account_id, currency
            order by known_at
            range between to_microseconds(structuring_hours * 3600000000 - 1) preceding and current row  -- noqa: PRS
        ),
        velocity as (
            partition by account_id, currency
            order by known_at
            range between to_microseconds(velocity_hours * 3600000000 - 1) preceding and current row  -- noqa: PRS
        )

),

structuring_alerts as (

    select
        'structuring' as rule,
        'structuring/' || account_id || '/' || strftime(known_at, '%Y%m%dT%H%M%S.%f') as alert_id,
        known_at - to_hours(structuring_hours) as window_from_at,
        known_at as window_until_at,
        small_minor as amount_minor,
        small_deposits as movements,
        small_deposits || ' deposits below ' || {{ format_minor('structuring_limit_minor', 'currency') }} || ' within '
        || structuring_hours || ' hours make ' || {{ format_minor('small_minor', 'currency') }} || '.' as explanation,
        account_id,
        client_id,
        currency,
        house_edition,
        source,
        as_of_date

    from windows
    where is_small and small_deposits >= structuring_count and small_minor > structuring_limit_minor

),

velocity_alerts as (

    select
        'velocity' as rule,
        'velocity/' || account_id || '/' || strftime(known_at, '%Y%m%dT%H%M%S.%f') as alert_id,
        known_at - to_hours(velocity_hours) as window_from_at,
        known_at as window_until_at,
        cast(paid_out_minor as bigint) as amount_minor,
        velocity_movements as movements,
        'Of ' || {{ format_minor('paid_in_minor', 'currency') }} || ' paid in within ' || velocity_hours || ' hours '
        || {{ format_minor('paid_out_minor', 'currency') }} || ' left again, and '
        || {{ format_minor('traded_minor', 'currency') }} || ' was traded.' as explanation,
        account_id,
        client_id,
        currency,
        house_edition,
        source,
        as_of_date

    from windows
    where
        kind = 'withdrawal'
        and paid_in_minor > 0
        and paid_out_minor * 100000000 >= velocity_out_e8 * paid_in_minor
        and traded_minor * 100000000 < velocity_traded_e8 * paid_in_minor

),

days_paid as (

    select
        account_id,
        currency,
        cast(known_at as date) as paid_on,
        any_value(client_id) as client_id,
        cast(sum(amount_minor) as bigint) as amount_minor,
        count(*) as movements,
        max(known_at) as last_at,
        max(as_of_date) as as_of_date,
        arg_max(burst_multiple, as_of_date) as burst_multiple,
        arg_max(burst_days, as_of_date) as burst_days,
        arg_max(burst_active_days, as_of_date) as burst_active_days,
        arg_max(house_edition, as_of_date) as house_edition,
        case when bool_or(source = 'synthetic') then 'synthetic' else any_value(source) end as source

    from movements
    where kind in ('deposit', 'withdrawal')
    group by account_id, currency, cast(known_at as date)

),

habits as (

    select
        *,
        count(*) over habit as habit_days,
        sum(amount_minor) over habit as habit_minor

    from days_paid
    window habit as (
        partition by account_id, currency
        order by paid_on
        range between to_days(cast(burst_days as integer)) preceding and interval 1 day preceding  -- noqa: PRS
    )

),

burst_alerts as (

    select
        'burst' as rule,
        'burst/' || account_id || '/' || paid_on as alert_id,
        cast(paid_on as timestamptz) as window_from_at,
        last_at as window_until_at,
        amount_minor,
        movements,
        {{ format_minor('amount_minor', 'currency') }} || ' moved on ' || paid_on || ', more than ' || burst_multiple
        || ' times the mean of the ' || habit_days || ' days with movements in the ' || burst_days || ' days before.'
            as explanation,
        account_id,
        client_id,
        currency,
        house_edition,
        source,
        as_of_date

    from habits
    where habit_days >= burst_active_days and amount_minor * habit_days > burst_multiple * habit_minor

),

dormant_alerts as (

    select
        'dormant_reactivation' as rule,
        'dormant_reactivation/' || account_id || '/' || strftime(known_at, '%Y%m%dT%H%M%S.%f') as alert_id,
        moved_before_at as window_from_at,
        known_at as window_until_at,
        amount_minor,
        1 as movements,
        {{ format_minor('amount_minor', 'currency') }} || ' moved after '
        || date_sub('day', moved_before_at, known_at) || ' days of silence.' as explanation,
        account_id,
        client_id,
        currency,
        house_edition,
        source,
        as_of_date

    from windows
    where known_at - to_days(cast(dormant_days as integer)) >= moved_before_at

),

third_party_alerts as (

    select
        'third_party_funding' as rule,
        'third_party_funding/' || transfer_id as alert_id,
        known_at as window_from_at,
        known_at as window_until_at,
        amount_minor,
        1 as movements,
        {{ format_minor('amount_minor', 'currency') }} || ' was paid in by '
        || case payer when 'nobody known' then 'nobody known' else 'somebody other than the client' end || '.'
            as explanation,
        account_id,
        client_id,
        currency,
        house_edition,
        source,
        as_of_date

    from windows
    where kind = 'deposit' and payer in ('somebody else', 'nobody known')

),

-- Cash is added up per client and day, in and out apart, whichever of the client's accounts it went through.
large_cash_alerts as (

    select
        'large_cash' as rule,
        'large_cash/' || client_id || '/' || market || '/' || currency || '/' || kind || '/' || booked_on as alert_id,
        min(known_at) as window_from_at,
        max(known_at) as window_until_at,
        cast(sum(amount_minor) as bigint) as amount_minor,
        count(*) as movements,
        {{ format_minor('sum(amount_minor)', 'currency') }} || ' in cash was '
        || case kind when 'deposit' then 'paid in' else 'paid out' end || ' on ' || booked_on
        || '; it is reported from ' || {{ format_minor('max(large_cash_from_minor)', 'currency') }} || ' on.'
            as explanation,
        arg_max(account_id, sequence) as account_id,
        client_id,
        currency,
        arg_max(house_edition, as_of_date) as house_edition,
        case when bool_or(source = 'synthetic') then 'synthetic' else any_value(source) end as source,
        max(as_of_date) as as_of_date

    from (
        select
            all_movements.*,
            thresholds.large_cash_from_minor,
            thresholds.house_edition

        from all_movements
        asof left join thresholds
            on
                all_movements.market = thresholds.market
                and all_movements.currency = thresholds.currency
                and all_movements.as_of_date <= thresholds.as_of_date
        where
            all_movements.channel = 'cash'
            and all_movements.kind in ('deposit', 'withdrawal')
            -- A day of business is over within a week: what was closed before is not asked again.
            and all_movements.as_of_date > {{ previous_close() }} - 7
    ) as cash
    group by client_id, market, currency, kind, booked_on
    having sum(amount_minor) >= max(large_cash_from_minor)

),

-- No rulebook may look back further on a device than a year.
accesses as (

    select * from {{ ref('stg_clients__accesses') }}
    where
        as_of_date > {{ previous_close() }} - 366
        and as_of_date <= {{ closing_day() }}

),

device_lines as (

    select
        as_of_date,
        any_value(device_accounts) as device_accounts,
        any_value(device_days) as device_days,
        any_value(house_edition) as house_edition

    from thresholds
    group by as_of_date

),

device_alerts as (

    select
        'shared_device' as rule,
        'shared_device/' || newest.device_hash || '/' || newest.account_id || '/'
        || strftime(newest.accessed_at, '%Y%m%dT%H%M%S.%f') as alert_id,
        min(earlier.accessed_at) as window_from_at,
        newest.accessed_at as window_until_at,
        cast(0 as bigint) as amount_minor,
        count(distinct earlier.account_id) + 1 as movements,
        count(distinct earlier.account_id) + 1 || ' accounts used one device within ' || any_value(newest.device_days)
        || ' days.' as explanation,
        newest.account_id,
        any_value(accounts.client_id) as client_id,
        any_value(accounts.currency) as currency,
        any_value(newest.house_edition) as house_edition,
        any_value(newest.source) as source,
        newest.as_of_date

    from (
        select
            accesses.*,
            device_lines.device_accounts,
            device_lines.device_days,
            device_lines.house_edition

        from accesses
        asof left join device_lines on accesses.as_of_date <= device_lines.as_of_date
        where accesses.as_of_date > {{ previous_close() }}
    ) as newest
    inner join accesses as earlier
        on
            newest.device_hash = earlier.device_hash
            and newest.accessed_at - to_days(cast(newest.device_days as integer)) < earlier.accessed_at
            and (
                newest.accessed_at > earlier.accessed_at
                or (newest.accessed_at = earlier.accessed_at and newest.account_id > earlier.account_id)
            )
    left join accounts
        on
            newest.account_id = accounts.account_id
            and newest.as_of_date = accounts.as_of_date
    group by newest.device_hash, newest.account_id, newest.accessed_at, newest.as_of_date
    having
        count(distinct earlier.account_id) + 1 >= any_value(newest.device_accounts)
        and not bool_or(earlier.account_id = newest.account_id)

),

alerts as (

    select * from structuring_alerts
    union all by name
    select * from velocity_alerts
    union all by name
    select * from burst_alerts
    union all by name
    select * from dormant_alerts
    union all by name
    select * from third_party_alerts
    union all by name
    select * from large_cash_alerts
    union all by name
    select * from device_alerts

),

-- Movements of one moment complete a pattern together, and are one alert.
told_once as (

    select *
    from alerts
    where as_of_date > {{ previous_close() }}
    qualify row_number() over (partition by alert_id order by as_of_date desc) = 1

)

select
    told_once.alert_id,
    told_once.rule,
    told_once.account_id,
    told_once.client_id,
    told_once.currency,
    told_once.amount_minor,
    {{ minor_to_amount('told_once.amount_minor', 'told_once.currency') }} as amount,
    told_once.movements,
    told_once.window_from_at,
    told_once.window_until_at,
    told_once.explanation,
    told_once.house_edition,
    told_once.source,
    told_once.as_of_date

from told_once
{%- if is_incremental() %}
-- What was told at an earlier close is not told again.
where
    told_once.alert_id not in (
        select told.alert_id
        from {{ this }} as told
        where told.as_of_date <= {{ previous_close() }}
    )
{%- endif %}
