with

drift as (

    select * from {{ source('lake', 'calc_forecasting__drift') }}

)

select
    feature,
    method,
    drift_score,
    drift_threshold,
    is_drifted,
    report_path,
    source,
    known_at,
    as_of_date

from drift
