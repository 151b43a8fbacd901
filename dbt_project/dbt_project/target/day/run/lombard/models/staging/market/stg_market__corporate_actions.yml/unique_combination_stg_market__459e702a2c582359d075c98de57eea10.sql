
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  

select
    instrument_id, as_of_date, kind,
    count(*) as rows_found

from (select * from "warehouse"."main"."stg_market__corporate_actions" where as_of_date = date '2026-06-17') as rows_to_test
group by instrument_id, as_of_date, kind
having count(*) > 1 or instrument_id is null or as_of_date is null or kind is null


  
  
      
    ) dbt_internal_test