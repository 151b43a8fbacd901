with

scores as (

    select * from {{ source('lake', 'calc_forecasting__scores') }}

)

select
    method,
    horizon_days,
    qlike,
    rmse,
    mae,
    observations,
    is_champion,
    model_version,
    source,
    known_at,
    as_of_date

from scores
