

select split_ratio

from (select * from "warehouse"."main"."stg_market__corporate_actions" where as_of_date = date '2026-06-17') as rows_to_test
where not (split_ratio > 0)

