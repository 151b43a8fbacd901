"""Golden cases: published or independently computed examples, each with its source beside it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

GOLDEN = Path(__file__).parent.parent / "golden"


class Golden(NamedTuple):
    given: dict[str, Any]
    expected: dict[str, Any]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Read the case named by the indirect parameter, so that its id stands in the test's name."""
    folder = GOLDEN / request.param
    assert (folder / "SOURCE.md").is_file(), "a golden number has a source"
    given, expected = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("given", "expected")
    )
    return Golden(given, expected)
