"""Which failures another try can cure: a busy database, a blinking disk. A bad delivery or a broken rule stays."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from sqlalchemy.exc import OperationalError

from domain.errors import DeskError

RETRIES_MAX = 2
SECONDS_BETWEEN_TRIES = 2

MAY_PASS = (OperationalError, TimeoutError, ConnectionError, BlockingIOError, InterruptedError)
"""Kinds of failure that say nothing about the data."""


@contextmanager
def retried_if_it_may_pass() -> Iterator[None]:
    """Ask Dagster to run the step again where that may help; anything else fails at once, in its own words.

    Every step this is used in writes under a business key or replaces what it wrote, so a second try adds nothing.
    """
    try:
        yield
    except MAY_PASS as failure:
        raise dg.RetryRequested(RETRIES_MAX, SECONDS_BETWEEN_TRIES) from failure
    except DeskError as failure:
        if isinstance(failure.__cause__, MAY_PASS):
            raise dg.RetryRequested(RETRIES_MAX, SECONDS_BETWEEN_TRIES) from failure
        raise
