

select
    instrument_id, as_of_date,
    count(*) as rows_found

from (select * from "warehouse"."main"."stg_market__instruments" where as_of_date = date '2026-06-17') as rows_to_test
group by instrument_id, as_of_date
having count(*) > 1 or instrument_id is null or as_of_date is null

