
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  -- An account is valued in one currency; a position in another would be added to it as if it were the same.
select
    positions.as_of_date,
    positions.account_id,
    accounts.currency as account_currency,
    positions.instrument_id,
    instruments.currency as instrument_currency

from "warehouse"."main"."stg_books__positions" as positions
inner join "warehouse"."main"."stg_books__accounts" as accounts
    on
        positions.account_id = accounts.account_id
        and positions.as_of_date = accounts.as_of_date
inner join "warehouse"."main"."dim_market__instruments" as instruments on positions.instrument_id = instruments.instrument_id
where
    accounts.currency != instruments.currency
    and positions.as_of_date = date '2026-06-17'
  
  
      
    ) dbt_internal_test