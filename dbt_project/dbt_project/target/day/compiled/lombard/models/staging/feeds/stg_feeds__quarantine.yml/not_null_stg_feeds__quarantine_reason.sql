
    
    



select reason
from (select * from "warehouse"."main"."stg_feeds__quarantine" where as_of_date = date '2026-06-17') as rows_to_test
where reason is null


