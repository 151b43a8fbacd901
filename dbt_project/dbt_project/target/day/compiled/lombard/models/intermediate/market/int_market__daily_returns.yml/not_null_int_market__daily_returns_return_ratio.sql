
    
    



select return_ratio
from (select * from "warehouse"."main"."int_market__daily_returns" where as_of_date = date '2026-06-17') as rows_to_test
where return_ratio is null


