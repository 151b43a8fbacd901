
    
    



select balance_minor
from (select * from "warehouse"."main"."stg_books__balances" where as_of_date = date '2026-06-17') as rows_to_test
where balance_minor is null


