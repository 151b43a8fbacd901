
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  
    
    



select amount_minor
from (select * from "warehouse"."main"."stg_books__transfers" where as_of_date = date '2026-06-17') as rows_to_test
where amount_minor is null



  
  
      
    ) dbt_internal_test