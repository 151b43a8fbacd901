"""The columns of every table Python writes to the lake; the one place a raw_ or calc_ shape is declared.

What a column *means* is said once, in ``dbt_project/models/_columns.md``. Units are suffixes: ``_minor`` money in minor
units of the row's currency, ``_e4`` a price times 10,000, ``_e8`` an annual rate times 100,000,000, ``_ratio`` a float
where 1 is 100 %, ``_at`` a UTC instant, ``_date`` or ``_on`` a business day.
"""

import pyarrow as pa

TEXT, COUNT, RATIO, FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()
DAY, INSTANT = pa.date32(), pa.timestamp("us", tz="UTC")

CIRCUMSTANCES = {"source": TEXT, "as_of_date": DAY, "known_at": INSTANT}
"""What every row knows about itself: who said so, for which business day, and when we knew."""

ORIGIN = {"file": TEXT, "line": COUNT}
"""Where in a delivery a row stood: file name and 1-based line (record number in binary files)."""

_COLUMNS: dict[str, dict[str, pa.DataType]] = {
    # What the market tells us.
    "raw_market__instruments": {
        "instrument_id": TEXT, "symbol": TEXT, "market": TEXT, "currency": TEXT, "asset_class": TEXT, "board": TEXT,
        "lot_size_shares": COUNT, "price_limit_ratio": RATIO, **CIRCUMSTANCES,
    },
    "raw_market__daily_bars": {
        "instrument_id": TEXT, "price_open_e4": COUNT, "price_high_e4": COUNT, "price_low_e4": COUNT,
        "price_close_e4": COUNT, "volume_shares": COUNT, **ORIGIN, **CIRCUMSTANCES,
    },
    "raw_market__corporate_actions": {
        "instrument_id": TEXT, "kind": TEXT, "split_ratio": RATIO, "dividend_e4": COUNT, **ORIGIN, **CIRCUMSTANCES,
    },
    "raw_market__prices": {
        "batch": TEXT, "instrument_id": TEXT, "price_e4": COUNT, "bid_e4": COUNT, "ask_e4": COUNT,
        "volume_shares": COUNT, "quoted_at": INSTANT, **ORIGIN, **CIRCUMSTANCES,
    },
    "raw_market__rates": {"currency": TEXT, "tenor_days": COUNT, "rate_e8": COUNT, **ORIGIN, **CIRCUMSTANCES},
    "raw_feeds__quarantine": {
        "feed": TEXT, "batch": TEXT, "reason": TEXT, "explanation": TEXT, "raw_text": TEXT, **ORIGIN, **CIRCUMSTANCES,
    },
    "calc_market__previous_closes": {
        "instrument_id": TEXT, "price_e4": COUNT, "price_date": DAY, "split_ratio": RATIO, **CIRCUMSTANCES,
    },
    # What the books say, as of one ledger head.
    "raw_books__accounts": {
        "account_id": TEXT, "client_id": TEXT, "market": TEXT, "currency": TEXT, "rulebook": TEXT, "opened_on": DAY,
        "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "raw_books__contracts": {
        "contract_id": TEXT, "account_id": TEXT, "currency": TEXT, "principal_minor": COUNT, "opened_on": DAY,
        "matures_on": DAY, "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "raw_books__positions": {
        "account_id": TEXT, "instrument_id": TEXT, "quantity_shares": COUNT, "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "raw_books__ledger_accounts": {
        "ledger_account_id": TEXT, "code": TEXT, "kind": TEXT, "account_id": TEXT, "currency": TEXT,
        "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "raw_books__transfers": {
        "sequence": COUNT, "transfer_id": TEXT, "template": TEXT, "debit_account_id": TEXT, "credit_account_id": TEXT,
        "amount_minor": COUNT, "currency": TEXT, "effective_on": DAY, "event_id": TEXT, "phase": TEXT,
        "pending_id": TEXT, "expires_on": DAY, "reverses": TEXT, "approval_id": TEXT, "counterparty": TEXT,
        "channel": TEXT, "booked_on": DAY, "entry_hash": TEXT, **CIRCUMSTANCES,
    },
    "raw_books__security_transfers": {
        "sequence": COUNT, "transfer_id": TEXT, "template": TEXT, "debit_account_id": TEXT, "credit_account_id": TEXT,
        "quantity_shares": COUNT, "instrument_id": TEXT, "effective_on": DAY, "event_id": TEXT, "phase": TEXT,
        "pending_id": TEXT, "expires_on": DAY, "reverses": TEXT, "approval_id": TEXT, "booked_on": DAY,
        "entry_hash": TEXT, **CIRCUMSTANCES,
    },
    "raw_books__balances": {
        "ledger_account_id": TEXT, "currency": TEXT, "balance_minor": COUNT, "debits_pending_minor": COUNT,
        "credits_pending_minor": COUNT, "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "raw_books__holdings": {
        "ledger_account_id": TEXT, "code": TEXT, "account_id": TEXT, "instrument_id": TEXT, "balance_shares": COUNT,
        "debits_pending_shares": COUNT, "credits_pending_shares": COUNT, "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "raw_books__third_parties": {
        "third_party_id": TEXT, "role": TEXT, "name": TEXT, "ledger_account_id": TEXT, "ledger_head": TEXT,
        **CIRCUMSTANCES,
    },
    # What clients do at the door: devices by hash, the bank accounts they own by blind index, never anybody's name.
    "raw_clients__accesses": {
        "access_id": TEXT, "account_id": TEXT, "device_hash": TEXT, "accessed_at": INSTANT, **CIRCUMSTANCES,
    },
    "raw_clients__counterparties": {"account_id": TEXT, "counterparty": TEXT, **CIRCUMSTANCES},
    # What custodian and bank say.
    "raw_custodian__positions": {
        "account_id": TEXT, "instrument_id": TEXT, "quantity_shares": COUNT, **ORIGIN, **CIRCUMSTANCES,
    },
    "raw_bank__movements": {
        "bank_account_id": TEXT, "reference": TEXT, "amount_minor": COUNT, "currency": TEXT, "value_date": DAY,
        **ORIGIN, **CIRCUMSTANCES,
    },
    # What our models and rules say.
    "calc_forecasting__scores": {
        "method": TEXT, "horizon_days": COUNT, "qlike": RATIO, "rmse": RATIO, "mae": RATIO, "observations": COUNT,
        "is_champion": FLAG, "model_version": TEXT, **CIRCUMSTANCES,
    },
    "calc_forecasting__volatility": {
        "instrument_id": TEXT, "horizon_days": COUNT, "volatility_ratio": RATIO, "method": TEXT, "model_name": TEXT,
        "model_version": TEXT, "data_until": DAY, **CIRCUMSTANCES,
    },
    "calc_forecasting__drift": {
        "feature": TEXT, "method": TEXT, "drift_score": RATIO, "drift_threshold": RATIO, "is_drifted": FLAG,
        "report_path": TEXT, **CIRCUMSTANCES,
    },
    "calc_collateral__haircuts": {
        "instrument_id": TEXT, "haircut_ratio": RATIO, "haircut_base_ratio": RATIO, "haircut_forecast_ratio": RATIO,
        "volatility_ratio": RATIO, "model_version": TEXT, "house_edition": TEXT, **CIRCUMSTANCES,
    },
    "calc_risk__scenarios": {"instrument_id": TEXT, "scenario_date": DAY, "return_ratio": RATIO, **CIRCUMSTANCES},
    "calc_margin__requirements": {
        "slice": TEXT, "account_id": TEXT, "currency": TEXT, "requirement_exchange_minor": COUNT,
        "requirement_house_minor": COUNT, "requirement_minor": COUNT, "restore_minor": COUNT,
        "rulebook_edition": TEXT, "house_edition": TEXT, "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "calc_margin__calls": {
        "slice": TEXT, "call_id": TEXT, "account_id": TEXT, "currency": TEXT, "equity_minor": COUNT,
        "requirement_minor": COUNT, "call_minor": COUNT, "shortfall_minor": COUNT, "due_on": DAY, "explanation": TEXT,
        "price_basis": TEXT, "rulebook_edition": TEXT, "house_edition": TEXT, "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "calc_risk__slices": {
        "slice": TEXT, "sliced_at": INSTANT, "currency": TEXT, "accounts": COUNT, "accounts_in_call": COUNT,
        "market_value_minor": COUNT, "debt_minor": COUNT, "equity_minor": COUNT, "var_99_minor": COUNT,
        "es_975_minor": COUNT, "scenarios": COUNT, "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "calc_ledger__entitlements": {
        "account_id": TEXT, "instrument_id": TEXT, "kind": TEXT, "quantity_before_shares": COUNT,
        "quantity_after_shares": COUNT, "cash_minor": COUNT, "currency": TEXT, "business_key": TEXT, **CIRCUMSTANCES,
    },
    "calc_ledger__checkpoints": {
        "tree_size": COUNT, "booked_on": DAY, "root_hash": TEXT, "entry_hash": TEXT, "signed_at": INSTANT,
        "public_key": TEXT, "signature": TEXT, **CIRCUMSTANCES,
    },
    "calc_ledger__control": {
        "account_id": TEXT, "currency": TEXT, "long_value_minor": COUNT, "net_debit_minor": COUNT,
        "pledgeable_minor": COUNT, "to_segregate_minor": COUNT, "rulebook_edition": TEXT, "ledger_head": TEXT,
        **CIRCUMSTANCES,
    },
    "calc_ledger__locked_shares": {
        "account_id": TEXT, "instrument_id": TEXT, "quantity_shares": COUNT, "locked_shares": COUNT, "price_e4": COUNT,
        "rulebook_edition": TEXT, "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "calc_ledger__reserve_lines": {
        "item": COUNT, "side": TEXT, "title": TEXT, "amount_minor": COUNT, "currency": TEXT, "rulebook_edition": TEXT,
        "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "calc_ledger__reserve": {
        "currency": TEXT, "method": TEXT, "frequency": TEXT, "credits_minor": COUNT, "debits_minor": COUNT,
        "reduction_minor": COUNT, "required_minor": COUNT, "on_deposit_minor": COUNT, "movement_minor": COUNT,
        "rulebook_edition": TEXT, "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "calc_clients__monitoring_thresholds": {
        "market": TEXT, "currency": TEXT, "structuring_floor_minor": COUNT, "structuring_limit_minor": COUNT,
        "structuring_hours": COUNT, "structuring_count": COUNT, "velocity_hours": COUNT, "velocity_out_e8": COUNT,
        "velocity_traded_e8": COUNT, "burst_multiple": COUNT, "burst_days": COUNT, "burst_active_days": COUNT,
        "dormant_days": COUNT, "device_accounts": COUNT, "device_days": COUNT, "large_cash_from_minor": COUNT,
        "house_edition": TEXT, **CIRCUMSTANCES,
    },
    "calc_pricing__loan_rates": {
        "contract_id": TEXT, "account_id": TEXT, "currency": TEXT, "principal_minor": COUNT, "risk_free_e8": COUNT,
        "funding_premium_e8": COUNT, "expected_loss_premium_e8": COUNT, "rate_e8": COUNT, "pd_ratio": RATIO,
        "lgd_ratio": RATIO, "volatility_ratio": RATIO, "house_edition": TEXT, "ledger_head": TEXT, **CIRCUMSTANCES,
    },
    "calc_pricing__accruals": {
        "contract_id": TEXT, "account_id": TEXT, "transfer_id": TEXT, "currency": TEXT, "principal_minor": COUNT,
        "rate_e8": COUNT, "days": COUNT, "basis_days": COUNT, "interest_minor": COUNT, **CIRCUMSTANCES,
    },
    "calc_reconciliation__breaks": {
        "subject": TEXT, "key": TEXT, "break_class": TEXT, "internal_value": COUNT, "external_value": COUNT,
        "difference": COUNT, "currency": TEXT, "explanation": TEXT, **ORIGIN, **CIRCUMSTANCES,
    },
}  # fmt: skip

TABLES: dict[str, pa.Schema] = {
    table: pa.schema([pa.field(name, dtype) for name, dtype in columns.items()]) for table, columns in _COLUMNS.items()
}
