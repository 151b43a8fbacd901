

select dividend_e4

from (select * from "warehouse"."main"."stg_market__corporate_actions" where as_of_date = date '2026-06-17') as rows_to_test
where not (dividend_e4 >= 0 and dividend_e4 < cast('infinity' as double))

