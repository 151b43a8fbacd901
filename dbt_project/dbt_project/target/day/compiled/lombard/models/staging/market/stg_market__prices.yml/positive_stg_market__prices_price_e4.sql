

select price_e4

from (select * from "warehouse"."main"."stg_market__prices" where as_of_date = date '2026-06-17') as rows_to_test
where not (price_e4 > 0)

