
    
    



select quantity_shares
from (select * from "warehouse"."main"."stg_books__positions" where as_of_date = date '2026-06-17') as rows_to_test
where quantity_shares is null


