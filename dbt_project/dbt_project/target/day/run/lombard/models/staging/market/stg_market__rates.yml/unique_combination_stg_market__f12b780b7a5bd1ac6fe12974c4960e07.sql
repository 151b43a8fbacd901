
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  

select
    currency, tenor_days, as_of_date,
    count(*) as rows_found

from (select * from "warehouse"."main"."stg_market__rates" where as_of_date = date '2026-06-17') as rows_to_test
group by currency, tenor_days, as_of_date
having count(*) > 1 or currency is null or tenor_days is null or as_of_date is null


  
  
      
    ) dbt_internal_test