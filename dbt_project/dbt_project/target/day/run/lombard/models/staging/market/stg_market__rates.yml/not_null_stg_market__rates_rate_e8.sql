
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  
    
    



select rate_e8
from (select * from "warehouse"."main"."stg_market__rates" where as_of_date = date '2026-06-17') as rows_to_test
where rate_e8 is null



  
  
      
    ) dbt_internal_test