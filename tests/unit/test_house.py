"""The shape of the package: which room may import which, exports, sizes of rooms and files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import itnio_nb

PACKAGE = Path(itnio_nb.__file__).parent
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
FOLDERS = {path.parent for path in TREES} - {PACKAGE}

# Which room may import which, imports inside functions included; each may import its own files.
MAY_IMPORT = {
    "errors": "",
    "api": "errors",
    "orders": "errors api",
    "ledger": "errors api",
    "runs": "errors api orders ledger",
    "sandbox": "errors api.account",  # it reads the API document for itself: two readings find each other's mistakes
    "workspace": "errors api orders ledger runs sandbox",
    "forms": "errors api orders ledger runs workspace",
    "runbooks": "errors api orders ledger runs workspace",
    "cli": "errors api orders ledger runs sandbox workspace forms runbooks",
}

# The workspace's three form methods lead upwards through the package's lazy exports: nothing is imported before use.
MAY_USE_EXPORTS = {"workspace", "cli"}


def room_of(path: Path) -> str:
    """Return the room that a file is in; a file at the top is its own."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield all statements inside a module or a statement, however deep."""
    for block in ("body", "orelse", "handlers", "finalbody", "cases"):
        for child in getattr(node, block, []):
            yield child
            yield from statements(child)


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in its text."""
    for node in statements(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_table_has_every_room() -> None:
    """A new room finds its line, and the top holds nothing else."""
    tops = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()} - {"__pycache__", "__init__", "py.typed"}
    assert tops == set(MAY_IMPORT)


def test_imports_go_one_way() -> None:
    """No room imports what stands on it; none imports the package's own exports, but for the one exception."""
    for path in TREES.keys() - {PACKAGE / "__init__.py"}:
        allowed = [room_of(path), *MAY_IMPORT[room_of(path)].split()]
        for module in imports(path):
            room = module.removeprefix("itnio_nb.")
            if module == "itnio_nb":
                assert room_of(path) in MAY_USE_EXPORTS, f"{path} imports the package's own exports"
            elif room != module:
                assert any(room == name or room.startswith(f"{name}.") for name in allowed), f"{path} imports {module}"


def test_a_room_has_at_most_nine_entries() -> None:
    """A tenth makes a folder; `__init__.py` holds a docstring and imports nothing, since that is how circles begin."""
    for folder in FOLDERS:
        entries = {path.name for path in folder.iterdir()} - {"__pycache__", "__init__.py"}
        assert len(entries) <= 9, folder
        assert len(TREES[folder / "__init__.py"].body) == 1, folder


def test_exports_are_sorted_and_real() -> None:
    """Every public name is found; upper case first, as the linter sorts."""
    constants = [name for name in itnio_nb.__all__ if name.isupper()]
    classes = [name for name in itnio_nb.__all__ if name[0].isupper() and not name.isupper()]
    functions = [name for name in itnio_nb.__all__ if name[0].islower()]
    assert itnio_nb.__all__ == [*sorted(constants), *sorted(classes), *sorted(functions)]
    assert dir(itnio_nb) == sorted(itnio_nb.__all__)
    for name in itnio_nb.__all__:
        assert getattr(itnio_nb, name).__module__.startswith("itnio_nb.")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = itnio_nb.nonsense


def test_no_room_bears_the_name_of_a_public_function() -> None:
    """`from itnio_nb import X` is never ambiguous."""
    assert not set(MAY_IMPORT) & set(itnio_nb.__all__)


def test_files_are_small_and_say_what_they_are_for() -> None:
    """About 300 lines; a second purpose gets a file of its own."""
    for path, tree in TREES.items():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 320, path
        assert ast.get_docstring(tree), path


def test_functions_and_classes_have_one_purpose() -> None:
    """40 lines, signature and docstring included, but for `submit_plan`, which has the most to say; 15 methods."""
    long, wide = [], []
    for node in (node for tree in TREES.values() for node in statements(tree)):
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 40:
            long.append(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [one for one in node.body if isinstance(one, ast.FunctionDef) and not one.name.startswith("__")]
            wide += [node.name] if len(methods) > 15 else []
    assert (long, wide) == (["submit_plan"], [])


def test_the_version_is_one() -> None:
    """In the package and in pyproject.toml."""
    text = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{itnio_nb.__version__}"' in text
