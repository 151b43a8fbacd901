

select lot_size_shares

from (select * from "warehouse"."main"."stg_market__instruments" where as_of_date = date '2026-06-17') as rows_to_test
where not (lot_size_shares > 0)

