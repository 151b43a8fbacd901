"""Habits of the prose: it names what exists, and it leaves nothing out."""

import ast
import re
from pathlib import Path

import yaml

from assets.schemas import TABLES

PROSE = ("README.md", "CHANGELOG.md")
SETTINGS = Path("orchestration/settings.py")


def test_the_documents_name_only_files_that_exist(texts: dict[Path, str], files: list[Path]) -> None:
    folders = {parent for file in files for parent in file.parents}
    tops = {file.parts[0] for file in files if len(file.parts) > 1}
    missing = [
        f"{document}: {named}"
        for document, text in _documents(texts).items()
        for named in re.findall(r"`([\w.-]+/[\w./-]*)`", text)
        if named.split("/")[0] in tops and Path(named) not in folders and Path(named) not in files
    ]
    assert missing == []


def test_every_link_of_the_documents_leads_somewhere(repository: Path, texts: dict[Path, str]) -> None:
    broken = [
        f"{document}: {target}"
        for document, text in _documents(texts).items()
        for target in re.findall(r"\]\(([^)\s]+)\)", text)
        if "://" not in target
        and not target.startswith("#")
        and not (repository / document.parent / target.split("#")[0]).exists()
    ]
    assert broken == []


def test_the_documents_name_only_tables_that_exist(texts: dict[Path, str]) -> None:
    tables = set(TABLES) | {file.stem for file in texts if file.suffix == ".sql"}
    registered = {"model_forecasting__volatility_5d"}
    unknown = [
        f"{document}: {named}"
        for document, text in _documents(texts).items()
        for named in re.findall(r"\b(?:raw|stg|int|calc|dim|fct|model)_[a-z]+__[a-z0-9_]*[a-z0-9]\b", text)
        if named not in tables | registered
    ]
    assert unknown == []


def test_every_number_stands_in_a_column_that_exists(texts: dict[Path, str]) -> None:
    columns = {f"{table}.{name}" for table, schema in TABLES.items() for name in schema.names}
    columns |= {
        f"{model['name']}.{column['name']}"
        for file, text in texts.items()
        if file.parts[:2] == ("dbt_project", "models") and file.suffix == ".yml"
        for model in yaml.safe_load(text).get("models", [])
        for column in model.get("columns", [])
    }
    named = re.findall(r"`((?:fct|dim|calc|raw)_\w+\.\w+)`", texts[Path("docs/numbers.md")])
    assert named, "the numbers have an address"
    assert sorted(set(named) - columns) == []


def test_every_setting_is_explained_in_the_example(texts: dict[Path, str]) -> None:
    read = {
        str(node.args[0].value)
        for node in ast.walk(ast.parse(texts[SETTINGS]))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"os.environ.get", "os.getenv"}
        and isinstance(node.args[0], ast.Constant)
    }
    explained = set(re.findall(r"^#?\s?(LOMBARD_\w+)=", texts[Path(".env.example")], re.MULTILINE))
    assert explained == {name for name in read if name.startswith("LOMBARD_")}


def test_every_decision_fits_on_a_page_and_says_why(texts: dict[Path, str]) -> None:
    decisions = {file: text for file, text in texts.items() if file.parent == Path("docs/decisions")}
    assert decisions
    untold = [
        f"{file} lacks {part}"
        for file, text in decisions.items()
        for part in ("Date:", "## Context", "## Choice", "## Consequence")
        if part not in text
    ]
    long = [str(file) for file, text in decisions.items() if len(text.splitlines()) > 60]
    assert untold + long == []


def test_every_release_begins_with_the_numbers_that_changed(texts: dict[Path, str]) -> None:
    releases = re.split(r"^## ", texts[Path("CHANGELOG.md")], flags=re.MULTILINE)[1:]
    assert releases
    for release in releases:
        headings = re.findall(r"^### (.+)$", release, re.MULTILINE)
        assert headings[0] == "Numbers that changed", release.splitlines()[0]


def _documents(texts: dict[Path, str]) -> dict[Path, str]:
    return {
        file: text
        for file, text in texts.items()
        if file.suffix == ".md" and (file.parts[0] == "docs" or str(file) in PROSE)
    }
