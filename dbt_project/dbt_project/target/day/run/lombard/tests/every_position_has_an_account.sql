
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  -- A position of an account the books do not list would be left out of every requirement, and nobody would see it.
select
    positions.as_of_date,
    positions.account_id,
    positions.instrument_id

from "warehouse"."main"."stg_books__positions" as positions
left join "warehouse"."main"."stg_books__accounts" as accounts
    on
        positions.account_id = accounts.account_id
        and positions.as_of_date = accounts.as_of_date
where
    accounts.account_id is null
    and positions.as_of_date = date '2026-06-17'
  
  
      
    ) dbt_internal_test