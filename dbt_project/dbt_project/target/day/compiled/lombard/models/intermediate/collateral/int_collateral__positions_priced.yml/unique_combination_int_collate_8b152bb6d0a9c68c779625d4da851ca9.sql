

select
    account_id, instrument_id, as_of_date, slice,
    count(*) as rows_found

from (select * from "warehouse"."main"."int_collateral__positions_priced" where as_of_date = date '2026-06-17') as rows_to_test
group by account_id, instrument_id, as_of_date, slice
having count(*) > 1 or account_id is null or instrument_id is null or as_of_date is null or slice is null

