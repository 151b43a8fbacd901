
    
    



select currency
from (select * from "warehouse"."main"."stg_books__accounts" where as_of_date = date '2026-06-17') as rows_to_test
where currency is null


