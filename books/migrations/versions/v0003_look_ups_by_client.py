"""Look up by client, parameter and case what is asked for by them: no table is read through for one client."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LOOKED_UP_BY = {
    "parameter": ("subject", "name"),
    "account": ("client_id",),
    "client_detail": ("client_id",),
    "client_evidence": ("client_id",),
    "client_transition": ("client_id",),
    "client_rating": ("client_id",),
    "screening": ("client_id",),
    "aml_case_step": ("case_id",),
}


def upgrade() -> None:
    """Add the indexes."""
    for table, columns in _LOOKED_UP_BY.items():
        op.create_index(f"ix_{table}_{columns[0]}", table, [*columns, "sequence"])
    op.create_index("ix_client_detail_blind_index", "client_detail", ["blind_index", "sequence"])
