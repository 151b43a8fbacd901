"""Configuration in, plain objects of ours out: the only place that knows how a resource is built."""

from typing import Any

import dagster as dg

from assets.lake import Lake
from assets.published import Published
from assets.reconciliation import Landing
from assets.reports import Reports
from books.approvals import is_approved
from books.engine import open_books, reading
from books.signatures import load_key
from feeds.folders import open_market_folder
from orchestration.settings import Settings
from rulebooks import load_rulebook


def build_registry(settings: Settings) -> Any:
    """The model registry of a desk, which asks the desk's books whether a promotion was approved."""
    # Only a run that needs a model waits for the tool that keeps them.
    from ml.registry import Registry

    def is_promotion_approved(subject: str, manifest_sha256: str) -> bool:
        engine = open_books(settings.books_url)
        try:
            with reading(engine) as connection:
                return is_approved(connection, "model_promotion", subject, manifest_sha256)
        finally:
            engine.dispose()

    return Registry(settings.mlflow_store, settings.mlflow_artifacts, is_approved=is_promotion_approved)


def build_resources(settings: Settings) -> dict[str, Any]:
    """Every object an asset, check or sensor may ask for, by the name it asks with.

    Books and market are opened when a run first needs them: looking at the lineage opens nothing.
    """

    @dg.resource
    def books(_: dg.InitResourceContext) -> Any:
        engine = open_books(settings.books_url)
        try:
            yield engine
        finally:
            engine.dispose()

    @dg.resource
    def market(_: dg.InitResourceContext) -> Any:
        return open_market_folder(settings.market_folder)

    @dg.resource
    def registry(_: dg.InitResourceContext) -> Any:
        return build_registry(settings)

    @dg.resource
    def signing_key(_: dg.InitResourceContext) -> Any:
        return load_key(settings.signing_key)

    return {
        "signing_key": signing_key,
        "lake": Lake(settings.lake, settings.warehouse),
        "books": books,
        "market": market,
        "registry": registry,
        "rulebooks": load_rulebook,
        "landing": Landing(settings.landing),
        "reports": Reports(settings.reports),
        "publication": Published(settings.published),
    }
