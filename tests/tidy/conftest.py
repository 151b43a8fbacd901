"""What the tests of the code itself look at: the files git knows or would add, and the modules as syntax trees."""

import ast
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("domain", "rulebooks", "books", "feeds", "ml", "assets", "checks", "orchestration", "serving")


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def files(repository: Path) -> list[Path]:
    """Files of the repository, relative to it; those git ignores and those just deleted are left out."""
    asked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode != 0:
        pytest.skip(f"needs a git checkout to know which files belong to the repository: {asked.stderr.strip()}")
    named = sorted({Path(name) for name in asked.stdout.split("\0") if name})
    return [file for file in named if (repository / file).is_file()]


@pytest.fixture(scope="session")
def texts(repository: Path, files: list[Path]) -> dict[Path, str]:
    """The files that are text, with their text."""
    read = {}
    for file in files:
        try:
            read[file] = (repository / file).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return read


@pytest.fixture(scope="session")
def modules(texts: dict[Path, str]) -> dict[Path, ast.Module]:
    """Every module of the desk's packages, parsed."""
    return {file: ast.parse(text) for file, text in texts.items() if file.suffix == ".py" and file.parts[0] in PACKAGES}
