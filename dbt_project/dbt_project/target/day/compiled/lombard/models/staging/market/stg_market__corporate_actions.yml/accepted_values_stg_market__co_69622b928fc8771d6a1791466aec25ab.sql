
    
    

with all_values as (

    select
        kind as value_field,
        count(*) as n_records

    from (select * from "warehouse"."main"."stg_market__corporate_actions" where as_of_date = date '2026-06-17') as rows_to_test
    group by kind

)

select *
from all_values
where value_field not in (
    'split','cash_dividend'
)


