
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  

select principal_minor

from (select * from "warehouse"."main"."stg_books__contracts" where as_of_date = date '2026-06-17') as rows_to_test
where not (principal_minor >= 0 and principal_minor < cast('infinity' as double))


  
  
      
    ) dbt_internal_test