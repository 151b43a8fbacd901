"""The system of record: what the desk owes and owns, written once, chained, and never changed."""
