"""The house: exports, the import ladder, cheap imports, docstrings, file sizes."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import itnio_nb

PACKAGE = Path(itnio_nb.__file__).parent
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")

# A file imports only from rows above its own, imports inside functions included.
LADDER = (
    {"disk", "errors", "files", "model", "texts"},
    {"signing", "headers", "mend", "tables", "answers", "owners", "pace", "progress"},
    {"read", "damage", "schema", "transport"},
    {"twins"},
    {"check"},
    {"client", "views"},
    {"claims"},
    {"ledger"},
    {"charts", "handover", "marked", "pack", "settle", "review"},
    {"plan", "record"},
    {"crew", "tally"},
    {"walk"},
    {"run"},
    {"submit"},
    {"lab", "narrate", "workplace"},
    {"errand"},
    {"form"},
    {"entrance", "grid"},
    {"watch"},
    {"orders_step", "plan_step", "result_step"},
    {"batch_form", "order_form", "review_form"},
    {"pages"},
    {"app", "archive", "runbook", "webpage"},
    {"mill"},
    {"nightly"},
    {"cli_run"},
    {"cli"},
)
# The sandbox contradicts the client: it imports the account alone. What chooses between the two imports it.
APART = {
    "books": set(),
    "loopback": set(),
    "rulebook": set(),
    "faults": {"loopback"},
    "sandbox": {"books", "faults", "loopback", "rulebook", "signing"},
}


def imports_of(module: str) -> set[str]:
    """Return the package's modules that a module imports, wherever in its text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "itnio_nb":
            found |= {alias.name for alias in node.names} & set(MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("itnio_nb."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("itnio_nb.")}
    return found


def test_the_ladder_has_every_module() -> None:
    """A new file finds its row."""
    assert sorted(set().union(*LADDER) | set(APART)) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_climb_one_ladder(module: str) -> None:
    """No cycle, no short cut; the sandbox stands apart."""
    allowed: set[str] = set(APART.get(module, set()))
    for row in LADDER:
        if module in row:
            allowed |= {"faults", "sandbox"} if module in ("cli", "nightly", "workplace") else set()
            break
        if module not in APART:
            allowed |= row
    assert imports_of(module) <= allowed


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


def test_no_module_bears_the_name_of_a_public_function() -> None:
    """`from itnio_nb import X` is never ambiguous."""
    assert not set(MODULES) & set(itnio_nb.__all__)


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


@pytest.mark.parametrize("module", MODULES)
def test_files_are_small_and_say_what_they_are_for(module: str) -> None:
    """About 300 lines; a second purpose gets a file of its own."""
    text = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
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
