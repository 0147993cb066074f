"""The shape of the package: which room may import which, exports, sizes of rooms and files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import itnio_nb

PACKAGE = Path(itnio_nb.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__")

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


class Imports(ast.NodeVisitor):
    """Collect the modules that a file imports, wherever in its text."""

    def __init__(self, path: Path) -> None:
        self.found: set[str] = set()
        self.visit(ast.parse(path.read_text(encoding="utf-8")))

    def visit_Import(self, node: ast.Import) -> None:
        self.found |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.found.add(node.module or "")


def test_the_table_has_every_room() -> None:
    """A new room finds its line, and the top holds nothing else."""
    tops = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()} - {"__pycache__", "__init__", "py.typed"}
    assert tops == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES[1:], ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    """No room imports what stands on it; none imports the package's own exports, but for the one exception."""
    allowed = [room_of(path), *MAY_IMPORT[room_of(path)].split()]
    for module in Imports(path).found:
        room = module.removeprefix("itnio_nb.")
        if module == "itnio_nb":
            assert room_of(path) in MAY_USE_EXPORTS, f"{path} imports the package's own exports"
        elif module.startswith("itnio_nb."):
            assert any(room == name or room.startswith(f"{name}.") for name in allowed), f"{path} imports {module}"


@pytest.mark.parametrize("room", [*ROOMS, "forms/batch", "orders/formats"])
def test_a_room_has_at_most_nine_entries(room: str) -> None:
    """A tenth makes a folder; `__init__.py` holds a docstring and imports nothing, since that is how circles begin."""
    entries = {path.name for path in (PACKAGE / room).iterdir()} - {"__pycache__", "__init__.py"}
    assert len(entries) <= 9
    assert len(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")).body) == 1


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


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_are_small_and_say_what_they_are_for(path: Path) -> None:
    """About 300 lines; a second purpose gets a file of its own."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 320
    assert ast.get_docstring(ast.parse(text))


class Sizes(ast.NodeVisitor):
    """Collect functions of more than 40 lines, docstring included, and classes of more than 15 methods."""

    def __init__(self) -> None:
        self.long: list[str] = []
        self.wide: list[str] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        lines = (node.end_lineno or 0) - node.lineno + 1
        self.long += [node.name] if lines > 40 else []
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        methods = [one for one in node.body if isinstance(one, ast.FunctionDef) and not one.name.startswith("__")]
        self.wide += [node.name] if len(methods) > 15 else []
        self.generic_visit(node)


def test_functions_and_classes_have_one_purpose() -> None:
    """`submit_plan` has the most to say of itself; no class does two things."""
    sizes = Sizes()
    for path in FILES:
        sizes.visit(ast.parse(path.read_text(encoding="utf-8")))
    assert (sizes.long, sizes.wide) == (["submit_plan"], [])


def test_the_version_is_one() -> None:
    """In the package and in pyproject.toml."""
    text = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{itnio_nb.__version__}"' in text
