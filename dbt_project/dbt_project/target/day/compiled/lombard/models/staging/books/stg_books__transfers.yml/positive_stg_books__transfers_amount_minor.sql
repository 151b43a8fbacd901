

select amount_minor

from (select * from "warehouse"."main"."stg_books__transfers" where as_of_date = date '2026-06-17') as rows_to_test
where not (amount_minor > 0)

