
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  

select
    as_of_date, slice,
    count(*) as rows_found

from (select * from "warehouse"."main"."int_market__slices" where as_of_date = date '2026-06-17') as rows_to_test
group by as_of_date, slice
having count(*) > 1 or as_of_date is null or slice is null


  
  
      
    ) dbt_internal_test