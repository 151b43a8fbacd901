with

journal_lines as (

    select * from {{ ref('int_ledger__journal_lines') }}

),

ledger_accounts as (

    select * from {{ ref('stg_books__ledger_accounts') }}

)

select
    journal_lines.sequence,
    journal_lines.transfer_id,
    journal_lines.event_id,
    journal_lines.template,
    journal_lines.side,
    journal_lines.ledger_account_id,
    journal_lines.contra_account_id,
    ledger_accounts.code,
    ledger_accounts.kind,
    ledger_accounts.account_id,
    journal_lines.amount_minor,
    journal_lines.signed_minor,
    {{ minor_to_amount('journal_lines.amount_minor', 'journal_lines.currency') }} as amount,
    journal_lines.currency,
    journal_lines.effective_on,
    journal_lines.booked_on,
    journal_lines.reverses,
    journal_lines.entry_hash,
    journal_lines.source,
    journal_lines.as_of_date,
    journal_lines.known_at

from journal_lines
left join ledger_accounts
    on
        journal_lines.ledger_account_id = ledger_accounts.ledger_account_id
        and journal_lines.as_of_date = ledger_accounts.as_of_date
