
    
    



select principal_minor
from (select * from "warehouse"."main"."stg_books__contracts" where as_of_date = date '2026-06-17') as rows_to_test
where principal_minor is null


