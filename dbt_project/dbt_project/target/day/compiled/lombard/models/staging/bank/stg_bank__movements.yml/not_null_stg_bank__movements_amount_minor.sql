
    
    



select amount_minor
from (select * from "warehouse"."main"."stg_bank__movements" where as_of_date = date '2026-06-17') as rows_to_test
where amount_minor is null


