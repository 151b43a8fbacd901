
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  
    
    



select quantity_shares
from (select * from "warehouse"."main"."stg_books__positions" where as_of_date = date '2026-06-17') as rows_to_test
where quantity_shares is null



  
  
      
    ) dbt_internal_test