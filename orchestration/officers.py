"""Officers of the synthetic desk: keys made for the demo, and what the demo has them sign.

A real desk's keys stay with their owners and never come near the desk's home; ``lombard approvals`` is how they sign.
"""

from pathlib import Path
from typing import Final

from books.approvals import decide, enter_officer_key, request_approval
from books.signatures import SigningKey, load_key, new_key, public_text, save_key
from ml.registry import approval_subject
from orchestration.books import earliest
from orchestration.desk import Desk
from orchestration.resources import build_registry

ROLES: Final = ("modelling", "validation")
"""Who asks for a promotion, and who allows it (``rulebooks/house/approvals.yaml``)."""


def approve_promotions(desk: Desk, model_name: str) -> int:
    """Have the synthetic officers sign for every promotion nobody has signed for; returns how many that were."""
    registry = build_registry(desk.settings)
    waiting = [
        version
        for version in registry.promoted(model_name)
        if not registry.is_approved(approval_subject(model_name, version.version), version.tags["manifest_sha256"])
    ]
    maker, checker = (_synthetic_key(desk, role) for role in ROLES)
    with desk.books() as engine:
        when = earliest(engine)
        for version in waiting:
            subject, approval_id = approval_subject(model_name, version.version), f"promotion.{version.run_id}"
            summary = f"{subject} takes over: {version.tags.get('promotion', 'it won')}"
            digest = version.tags["manifest_sha256"]
            request_approval(
                engine, "model_promotion", subject, digest, summary, maker, approval_id=approval_id, **when
            )
            decide(engine, approval_id, "approved", "synthetic desk: signed by the demo", checker, **when)
    return len(waiting)


def _synthetic_key(desk: Desk, role: str) -> SigningKey:
    """A synthetic officer's key, made and entered in the books when it is first needed."""
    path: Path = desk.settings.home / "keys" / "officers" / f"synthetic-{role}.pem"
    key = load_key(path) if path.exists() else new_key()
    if not path.exists():
        save_key(key, path)
    with desk.books() as engine:
        enter_officer_key(engine, f"synthetic-{role}", role, public_text(key), source="synthetic", **earliest(engine))
    return key
