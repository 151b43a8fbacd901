
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  
    
    

with all_values as (

    select
        asset_class as value_field,
        count(*) as n_records

    from (select * from "warehouse"."main"."stg_market__instruments" where as_of_date = date '2026-06-17') as rows_to_test
    group by asset_class

)

select *
from all_values
where value_field not in (
    'equity','etf'
)



  
  
      
    ) dbt_internal_test