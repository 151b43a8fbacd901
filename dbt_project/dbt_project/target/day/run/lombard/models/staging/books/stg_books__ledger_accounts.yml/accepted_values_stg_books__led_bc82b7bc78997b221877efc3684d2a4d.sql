
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  
    
    

with all_values as (

    select
        kind as value_field,
        count(*) as n_records

    from (select * from "warehouse"."main"."stg_books__ledger_accounts" where as_of_date = date '2026-06-17') as rows_to_test
    group by kind

)

select *
from all_values
where value_field not in (
    'asset','liability','equity','income','expense'
)



  
  
      
    ) dbt_internal_test