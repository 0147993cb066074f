"""The house: exports, the import ladder, cheap imports, docstrings, file sizes."""

from __future__ import annotations

import ast
import subprocess
import sys
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
    "workspace": "errors api ledger runs sandbox",
    "forms": "errors api orders ledger runs workspace",
    "runbooks": "errors api orders ledger runs workspace",
    "cli": "errors api orders ledger runs sandbox workspace forms runbooks",
}


def room_of(path: Path) -> str:
    """Return the room that a file is in; a file at the top is its own."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Return the package's modules that a file imports, wherever in its text, without the package's name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name.removeprefix("itnio_nb.") for name in found if name.startswith("itnio_nb.")}


def test_the_table_has_every_room() -> None:
    """A new room finds its line, and the top holds nothing else."""
    tops = {path.name.removesuffix(".py") for path in PACKAGE.iterdir()} - {"__pycache__", "__init__", "py.typed"}
    assert tops == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES[1:], ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    """No room imports what stands on it; none imports the package's own exports."""
    allowed = [room_of(path), *MAY_IMPORT[room_of(path)].split()]
    for module in imports_of(path):
        assert any(module == name or module.startswith(f"{name}.") for name in allowed), f"{path} imports {module}"


@pytest.mark.parametrize("room", [*ROOMS, "forms/batch"])
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


def test_importing_the_package_is_cheap() -> None:
    """Neither pandas nor requests, ipywidgets or SQLAlchemy is loaded before a name is used."""
    heavy = {"pandas", "numpy", "requests", "urllib3", "ipywidgets", "IPython", "sqlalchemy", "tqdm", "click"}
    script = f"import sys, itnio_nb; print(sorted({heavy!r} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_the_account_and_the_sandbox_need_no_table() -> None:
    """A sandbox for another language's client starts without pandas."""
    script = "import sys; from itnio_nb import Sandbox\nwith Sandbox(): print('pandas' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_are_small_and_say_what_they_are_for(path: Path) -> None:
    """About 300 lines; a second purpose gets a file of its own."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 320
    assert ast.get_docstring(ast.parse(text))


def test_the_version_is_one() -> None:
    """In the package and in pyproject.toml."""
    text = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{itnio_nb.__version__}"' in text


@pytest.mark.slow
def test_the_readmes_line_runs(tmp_path: Path) -> None:
    """The code that it shows, as it stands, on the notebook's spreadsheet."""
    root = PACKAGE.parent
    code = (root / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    (tmp_path / "phones.xlsx").write_bytes((root / "notebooks" / "data" / "phones.xlsx").read_bytes())
    script = code + "print(run.summary)\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Done. Groups: 43 created (868 phones)")
    assert len(list((tmp_path / "results").glob("*.csv"))) == 6
