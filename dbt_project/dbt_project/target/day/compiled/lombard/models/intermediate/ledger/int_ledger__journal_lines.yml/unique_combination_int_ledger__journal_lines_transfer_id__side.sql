

select
    transfer_id, side,
    count(*) as rows_found

from (select * from "warehouse"."main"."int_ledger__journal_lines" where as_of_date = date '2026-06-17') as rows_to_test
group by transfer_id, side
having count(*) > 1 or transfer_id is null or side is null

