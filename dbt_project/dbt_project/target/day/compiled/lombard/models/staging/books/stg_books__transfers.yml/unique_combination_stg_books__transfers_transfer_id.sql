

select
    transfer_id,
    count(*) as rows_found

from (select * from "warehouse"."main"."stg_books__transfers" where as_of_date = date '2026-06-17') as rows_to_test
group by transfer_id
having count(*) > 1 or transfer_id is null

