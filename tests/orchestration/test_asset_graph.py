"""What depends on what, one line per asset: a change of the graph is seen in review.

``LOMBARD_BLESS=1 pytest tests/orchestration/test_asset_graph.py`` writes the file anew.
"""

import os
from pathlib import Path

import dagster as dg

GRAPH = Path(__file__).with_name("asset_graph.txt")
BLESS = os.environ.get("LOMBARD_BLESS") == "1"


def lines_of(definitions: dg.Definitions) -> list[str]:
    graph = definitions.resolve_asset_graph()
    above = {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
    }
    return [f"{name} <- {', '.join(parents)}".strip() for name, parents in sorted(above.items())]


def test_the_graph_is_the_one_that_was_reviewed(definitions: dg.Definitions) -> None:
    lines = lines_of(definitions)
    if BLESS:
        GRAPH.write_text("\n".join([*lines, ""]), encoding="utf-8")
    assert lines == GRAPH.read_text(encoding="utf-8").splitlines()


def test_nothing_depends_on_a_table_that_nobody_keeps(definitions: dg.Definitions) -> None:
    named = {line.split(" <-")[0] for line in lines_of(definitions)}
    asked = {name for line in lines_of(definitions) for name in line.split("<-")[1].split(", ") if name.strip()}
    assert {name.strip() for name in asked} - named == set()
