"""Habits of the repository: what may lie in it, and what no file of it may say."""

import ast
import re
from pathlib import Path

FILE_BYTES_MAX = 600_000

# Written in two halves, so that this file does not break its own rule.
MACHINE_FOLDERS = tuple(f"/{folder}/" for folder in ("home", "work", "tmp", "Users", "root", "mnt"))
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME")) + r")\b")
OUTSIDE = re.compile(r"://|--(extra-)?index[-]url|--find-links|^\s*-[if] |@ file:", re.MULTILINE)


def test_every_file_is_small_enough_to_read(repository: Path, files: list[Path]) -> None:
    large = {str(file): size for file in files if (size := (repository / file).stat().st_size) > FILE_BYTES_MAX}
    assert large == {}


def test_no_file_names_a_folder_of_one_machine(texts: dict[Path, str]) -> None:
    """A path that begins at a root is true on one machine only; the middle of a longer path is not meant."""
    begins = re.compile(r"(?<![\w.~$}\]*)>-])(" + "|".join(MACHINE_FOLDERS) + ")")
    named = [f"{file}: {found[0]}" for file, text in texts.items() if (found := begins.search(text))]
    assert named == []


def test_the_lock_file_names_no_host(texts: dict[Path, str]) -> None:
    lock = texts[Path("requirements.lock")]
    assert OUTSIDE.search(lock) is None


def test_every_locked_package_has_a_hash(texts: dict[Path, str]) -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", texts[Path("requirements.lock")])
    unhashed = [entry.splitlines()[0] for entry in entries if "==" in entry and "--hash=sha256:" not in entry]
    assert unhashed == []


def test_nothing_is_left_for_later_in_a_comment(texts: dict[Path, str]) -> None:
    """What is not done is an issue; a note in a file has no owner."""
    lawful = {Path("LICENSE"), Path("requirements.lock")}
    assert [str(file) for file, text in texts.items() if file not in lawful and UNFINISHED.search(text)] == []


def test_golden_numbers_say_where_they_come_from(files: list[Path]) -> None:
    cases = {Path(*file.parts[:3]) for file in files if file.parts[:2] == ("tests", "golden") and len(file.parts) > 3}
    assert [str(case) for case in sorted(cases) if case / "SOURCE.md" not in files] == []


def test_tests_are_modules_without_packages(files: list[Path]) -> None:
    assert [str(file) for file in files if file.parts[0] == "tests" and file.name == "__init__.py"] == []


def test_no_two_tests_of_one_file_share_a_name(texts: dict[Path, str]) -> None:
    """Python keeps the later one without a word, and the earlier never runs."""
    repeated = []
    for file, text in texts.items():
        if file.parts[0] == "tests" and file.suffix == ".py":
            names = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
            repeated += [f"{file} {name}" for name in sorted({name for name in names if names.count(name) > 1})]
    assert repeated == []


def test_every_test_is_a_sentence_about_the_desk(texts: dict[Path, str]) -> None:
    short = [
        f"{file} {node.name}"
        for file, text in texts.items()
        if file.parts[0] == "tests" and file.suffix == ".py"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and len(node.name.split("_")) < 4
    ]
    assert short == []
