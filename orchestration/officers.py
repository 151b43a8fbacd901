"""Officers of the synthetic desk: keys made for the demo, and what the demo has them sign.

A real desk's keys stay with their owners and never come near the desk's home; ``lombard approvals`` is how they sign.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from books.approvals import approval_terms_on, decide, enter_officer_key, request_approval
from books.engine import writing
from books.signatures import SigningKey, load_key, new_key, public_text, save_key
from ml.registry import approval_subject
from orchestration.books import When, earliest
from orchestration.desk import Desk
from orchestration.resources import build_registry

MAKER: Final = "modelling"
CHECKER: Final = "validation"
"""Who asks for a promotion, and who allows it (``rulebooks/house/approvals.yaml``)."""


def approve_promotions(desk: Desk, model_name: str) -> int:
    """Have the synthetic officers sign for every promotion nobody has signed for; returns how many that were."""
    registry = build_registry(desk.settings)
    waiting = [
        version
        for version in registry.promoted(model_name)
        if not registry.is_approved(approval_subject(model_name, version.version), version.tags["manifest_sha256"])
    ]
    with desk.books() as engine:
        when = earliest(engine)
        keys = _found(engine, desk.settings.home / "keys" / "officers", when)
        maker, checker = keys[MAKER], keys[CHECKER]
        for version in waiting:
            subject, approval_id = approval_subject(model_name, version.version), f"promotion.{version.run_id}"
            summary = f"{subject} takes over: {version.tags.get('promotion', 'it won')}"
            digest = version.tags["manifest_sha256"]
            request_approval(
                engine, "model_promotion", subject, digest, summary, maker, approval_id=approval_id, **when
            )
            decide(engine, approval_id, "approved", "synthetic desk: signed by the demo", checker, **when)
    return len(waiting)


def _found(engine: Engine, folder: Path, when: When) -> dict[str, SigningKey]:
    """The synthetic desk's founders: one officer for each role of the authority matrix, entered on the same day."""
    with writing(engine) as connection:
        duties = approval_terms_on(connection, when["booked_on"]).duties.values()
        keys = {}
        for role in sorted({role for duty in duties for role in duty.makers | duty.checkers}):
            path = folder / f"synthetic-{role}.pem"
            if not path.exists():
                save_key(new_key(), path)
            keys[role] = load_key(path)
            public = public_text(keys[role])
            enter_officer_key(connection, f"synthetic-{role}", role, public, source="synthetic", **when)
        return keys
