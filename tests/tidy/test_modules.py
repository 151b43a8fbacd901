"""Habits of the code: where a file stands, how long a function is, and what nobody may call."""

import ast
from collections.abc import Iterator
from pathlib import Path

FUNCTION_LINES_MAX = 70
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "core", "lib", "tools", "shared"}
READS_THE_ENVIRONMENT = Path("orchestration/settings.py")

UNTRUSTWORTHY_MODULES = {
    "pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "xml.etree", "xml.etree.ElementTree", "xml.dom",
    "xml.dom.minidom", "xml.sax",
}  # fmt: skip
"""They run, or unfold without limit, what a file from outside tells them to."""

UNTRUSTWORTHY_CALLS = {
    "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "pd.read_pickle", "pandas.read_pickle", "eval",
    "exec",
}  # fmt: skip


def test_every_module_of_the_domain_that_computes_has_a_test_of_its_own(
    modules: dict[Path, ast.Module], files: list[Path]
) -> None:
    computing = [
        file
        for file, tree in modules.items()
        if file.parts[0] == "domain" and any(isinstance(node, ast.FunctionDef) for node in ast.walk(tree))
    ]
    mirrored = {file: Path("tests", *file.parts[:-1], f"test_{file.name}") for file in computing}
    assert [f"{file} needs {mirror}" for file, mirror in mirrored.items() if mirror not in files] == []


def test_every_module_says_what_it_holds(modules: dict[Path, ast.Module]) -> None:
    migrations = Path("books/migrations/versions")
    silent = [
        str(file) for file, tree in modules.items() if not ast.get_docstring(tree) and migrations not in file.parents
    ]
    assert silent == []


def test_every_function_fits_on_a_screen(modules: dict[Path, ast.Module]) -> None:
    long = [
        f"{file}:{node.lineno} {node.name} has {lines} lines"
        for file, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_no_module_has_a_name_that_says_nothing(modules: dict[Path, ast.Module]) -> None:
    assert [str(file) for file in modules if NAMES_THAT_SAY_NOTHING & {file.stem, *file.parts[:-1]}] == []


def test_the_environment_is_read_in_one_place(modules: dict[Path, ast.Module]) -> None:
    """Elsewhere a setting may be handed to a child process or a library, but nobody else asks for one."""
    readers = [
        f"{file}:{line}"
        for file, tree in modules.items()
        if file != READS_THE_ENVIRONMENT
        for line in _reads_of_the_environment(tree)
    ]
    assert readers == []


def test_nobody_prints_past_the_console(modules: dict[Path, ast.Module]) -> None:
    assert [place for file, tree in modules.items() for place in _calls(file, tree, {"print"})] == []


def test_nobody_opens_what_can_run_code(modules: dict[Path, ast.Module]) -> None:
    imports = [
        f"{file} imports {name}"
        for file, tree in modules.items()
        for name in _imported(tree)
        if name in UNTRUSTWORTHY_MODULES
    ]
    calls = [place for file, tree in modules.items() for place in _calls(file, tree, UNTRUSTWORTHY_CALLS)]
    assert imports + calls == []


def test_every_check_is_named_for_what_must_be_true(modules: dict[Path, ast.Module]) -> None:
    """A clause has a subject and a verb: three words at least, none of them a word for the check itself."""
    names = [
        (file, name)
        for file, tree in modules.items()
        if file.parts[0] == "checks"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for name in _check_names(node)
    ]
    assert names, "the desk has checks"
    mute = [
        f"{file} {name}"
        for file, name in names
        if len(name.split("_")) < 3 or name != name.lower() or {"check", "test", "validate"} & set(name.split("_"))
    ]
    assert mute == []


def test_no_broad_except_hides_a_bug(modules: dict[Path, ast.Module]) -> None:
    """Only a handler that raises again may catch everything."""
    broad = [
        f"{file}:{node.lineno}"
        for file, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or _dotted(node.type) in {"Exception", "BaseException"})
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    ]
    assert broad == []


def _reads_of_the_environment(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        is_import = isinstance(node, ast.ImportFrom) and node.module == "os"
        if is_import and {"environ", "getenv", "environb"} & {alias.name for alias in node.names}:
            yield node.lineno
        if isinstance(node, ast.Call) and _dotted(node.func) in {"os.getenv", "os.environ.get", "dg.EnvVar"}:
            yield node.lineno
        if isinstance(node, ast.Subscript) and _dotted(node.value) == "os.environ" and isinstance(node.ctx, ast.Load):
            yield node.lineno


def _calls(file: Path, tree: ast.Module, names: set[str]) -> list[str]:
    called = [(node.lineno, _dotted(node.func)) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [f"{file}:{line} calls {name}" for line, name in called if name in names]


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _check_names(function: ast.FunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and _dotted(decorator.func) == "dg.asset_check":
            named = [word.value.value for word in decorator.keywords if word.arg == "name"]  # type: ignore[attr-defined]
            yield str(named[0]) if named else function.name


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
