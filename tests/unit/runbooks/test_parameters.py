"""Parameters of notebooks: read as papermill reads them, given as text, checked before anything is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from itnio_nb import InputError, check_parameters
from itnio_nb.runbooks.parameters import as_python, inject, parse_given, read_defaults, require_known
from tests.support.kernel import notebook_of

SOURCES: dict[str, dict[str, Any]] = {
    "x = 1": {"x": 1},
    "x, y = 'a', None": {"x": "a", "y": None},
    "[x, y] = [1, 2]": {"x": 1, "y": 2},
    "x = y = 3": {"x": 3, "y": 3},
    "x = 1; y = 2.5  # two": {"x": 1, "y": 2.5},
    "orders: str = 'x'": {"orders": "x"},
    "orders: 'str' = \"x\"": {"orders": "x"},
    "limit: int | None = None": {"limit": None},
    "apply = False # type: bool": {"apply": False},
    "x = [1, 2]\ny = {'a': 1}": {"x": [1, 2], "y": {"a": 1}},
    "x = -1": {"x": -1},
    '"""What it takes."""\n\nx = (\n    1\n)': {"x": 1},
    "%matplotlib inline\n!ls\nx = 1": {"x": 1},
    "(x, (y, z)) = 1, (2, 3)": {"x": 1, "y": 2, "z": 3},
    "if True:\n    x = 1": {"x": 1},
}


@pytest.mark.parametrize("source", SOURCES)
def test_defaults_are_read(source: str) -> None:
    """Annotated, in tuples, several on a line, with magics around."""
    assert read_defaults(notebook_of("1", parameters=source)) == SOURCES[source]


@pytest.mark.parametrize(
    "source", ["import os\nx = os.sep", "x, *y = range(3)", "x, y = f()", "x = 1\ny = = 2", "x: int = f()\ny = 1"]
)
def test_what_is_no_literal_is_a_parameter_too(source: str) -> None:
    """Its name is known, and any value can be given."""
    defaults = read_defaults(notebook_of("1", parameters=source))
    assert "x" in defaults
    for text, value in (("3", 3), ("yes", "yes")):
        assert parse_given("x", text, defaults) in (value, text)


def test_no_cell_has_the_tag() -> None:
    """Then it takes none; nothing given is fine."""
    assert read_defaults(notebook_of("x = 1")) == {}
    require_known("a.ipynb", {}, {})
    with pytest.raises(InputError, match=r"a\.ipynb has no cell tagged `parameters`: it takes none"):
        require_known("a.ipynb", {"x": 1}, {})
    with pytest.raises(InputError, match=r"a\.ipynb has no parameter z: it has x, y"):
        require_known("a.ipynb", {"x": 1, "z": 1}, {"y": 1, "x": 2})


def test_a_second_cell_that_undoes_what_is_given_is_refused() -> None:
    """Papermill injects behind the first; one with other names does no harm."""
    two = notebook_of("1", parameters="x = 1")
    two.cells[1].source, two.cells[1].metadata["tags"] = "y = 2", ["parameters"]
    assert read_defaults(two) == {"x": 1}
    two.cells[1].source = "y, x = 2, 3"
    with pytest.raises(InputError, match=r"Two cells are tagged `parameters`, and the second gives x again"):
        read_defaults(two)


@pytest.mark.parametrize(
    ("default", "text", "value"),
    [
        ("results", "3", "3"),
        ("x", "true", "true"),
        (False, "true", True),
        (False, "False", False),
        (None, "3", 3),
        (None, "a b", "a b"),
        (8, "16", 16),
        (8, "0.5", 0.5),
        (1.5, "null", None),
        (None, '["a"]', ["a"]),
        (None, "NaN", "NaN"),
        (None, "1e999", "1e999"),
        (None, "", ""),
    ],
)
def test_a_text_is_read_as_its_default_is(default: object, text: str, value: object) -> None:
    """A default that is text stays text: a folder may be called 3."""
    assert parse_given("x", text, {"x": default}) == value


@pytest.mark.parametrize(
    ("default", "text"),
    [(False, text) for text in ("no", "yes", "0", "1", "", "FALSE", "None", "on")]
    + [(8, text) for text in ("nan", "inf", "true", "many", "[1]", "")],
)
def test_a_switch_and_a_number_are_nothing_else(default: object, text: str) -> None:
    """In words, with what to write."""
    words = r"Nothing was sent: x is a (switch: -p x true, or -p x false|number, such as 8)"
    with pytest.raises(InputError, match=words):
        parse_given("x", text, {"x": default})


def test_values_are_written_as_python_reads_them() -> None:
    """Those without a literal too."""
    given = {"a": float("nan"), "b": float("-inf"), "c": "it's \udcff", "d": None, "e": [True]}
    for value in given.values():
        read = eval(as_python(value))
        assert read == value or (read != read and value != value)
    notebook = notebook_of("1", parameters="a = 1")
    inject(notebook, given)
    exec(notebook.cells[1].source, names := {})  # type: ignore[var-annotated] # of all kinds
    assert names["c"] == given["c"]


def test_folders_are_made_and_tried(tmp_path: Path) -> None:
    """One that is there, one that is not, one whose name is a file's; nothing is left in them."""
    (tmp_path / "file").touch()
    check_parameters(apply=True, confirm=0, folders=[tmp_path / "new" / "deep", str(tmp_path)])
    assert list((tmp_path / "new" / "deep").iterdir()) == []
    for folder in (tmp_path / "file", tmp_path / "file" / "below", "a\0b", 3, None, ""):
        with pytest.raises(InputError, match=r"Nothing was sent: (the folder .* cannot be written|a folder is a text)"):
            check_parameters(apply=True, folders=[folder])
