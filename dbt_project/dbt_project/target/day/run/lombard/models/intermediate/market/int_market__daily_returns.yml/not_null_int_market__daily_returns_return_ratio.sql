
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  
    
    



select return_ratio
from (select * from "warehouse"."main"."int_market__daily_returns" where as_of_date = date '2026-06-17') as rows_to_test
where return_ratio is null



  
  
      
    ) dbt_internal_test