"""Findings for the colleague who made the file: the own cells, coloured and commented, and readable again."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from unittest.mock import Mock

import pandas as pd
import pytest

from itnio_nb import InputError, check_orders, read_orders, write_findings
from itnio_nb.orders.export import WrittenFiles, next_free_path, table_as_html, write_atomically
from tests.support.factories import orders_frame

MESS = (
    b"Phones for the new year;;;;;\n\nSite;Group Name;phoneName;quantity;displayNum;appId\n"
    b"Hall 2; sales;desk;30;+86 10 8500;x\n=1+1;abc;line;many;8.61E+09;x\n;fine1;fine1;1;8610000;x\n"
)


def written(data: bytes, path: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    orders = read_orders(data)
    findings = check_orders(orders)
    assert write_findings(orders, findings, path) == path
    with zipfile.ZipFile(path) as parts:
        return orders, findings, {name: parts.read(name).decode() for name in parts.namelist()}


def test_every_cell_stands_where_it_stood(tmp_path: Path) -> None:
    """Same rows, headers and columns; repaired cells as they were; read again it gives the very same."""
    orders, findings, _ = written(MESS, tmp_path / "fix.xlsx")
    again = read_orders(tmp_path / "fix.xlsx")
    assert again.index.tolist() == orders.index.tolist() == [4, 5, 6]
    assert again.attrs["itnio"].headers == orders.attrs["itnio"].headers
    pd.testing.assert_frame_equal(again, orders)
    pd.testing.assert_frame_equal(check_orders(again), findings)


def test_each_finding_is_a_colour_and_a_comment(tmp_path: Path) -> None:
    """What it is, how bad, what to do; nothing is a formula or a link."""
    _, findings, parts = written(MESS, tmp_path / "fix.xlsx")
    comments = parts["xl/comments1.xml"]
    places = re.findall(r'<comment ref="([A-Z]+\d+)"', comments)
    assert places == ["B4", "E4", "B5", "D5", "E5"]
    assert "error: keeps 3 of its 10 digits." in comments
    assert "repaired: had blanks around it. Nothing to do: read as sales." in comments
    assert set(findings["severity"]) == {"error", "repaired"}
    sheet = parts["xl/worksheets/sheet1.xml"]
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    for colour in ("F8B4B4", "C6E0B4"):
        assert colour in parts["xl/styles.xml"]


def test_only_such_a_file_is_replaced(tmp_path: Path) -> None:
    """Not the original, nor anything else; the same again is."""
    orders = read_orders(MESS)
    for name in ("orders.csv", "notes.xlsx"):
        (tmp_path / name).write_bytes(b"mine")
        with pytest.raises(InputError, match="exists and holds something else"):
            write_findings(orders, check_orders(orders), tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"mine"
    for _ in range(2):
        write_findings(orders, check_orders(orders), tmp_path / "fix.xlsx")
    assert write_findings(orders, check_orders(orders), tmp_path / "new" / "fix.xlsx").exists()
    with pytest.raises(InputError, match="choose another path"):
        write_findings(orders, check_orders(orders), tmp_path / "fix.xlsx" / "no-folder.xlsx")
    with pytest.raises(InputError, match=r"those of check_orders"):
        write_findings(orders, orders, tmp_path / "fix.xlsx")


def test_odd_cells_are_written(tmp_path: Path) -> None:
    """Control characters, half a surrogate pair, very long texts, names that look like formulas; no orders at all."""
    frame = orders_frame(("=1+1", "a\x00b\ud800", "x" * 40000, "'861000000"), ("https://a.b", "desk"))
    for rows in (frame, frame[:0]):
        orders = read_orders(rows)
        write_findings(orders, check_orders(orders), tmp_path / "fix.xlsx")
        assert len(read_orders(tmp_path / "fix.xlsx")) == len(rows)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New, and again; nothing else stays in the folder. A full disk or Ctrl-C in the middle leaves the old one."""
    for contents in (b"first", b"second"):
        write_atomically(tmp_path / "file", contents)
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [contents]
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):
        monkeypatch.setattr(Path, "replace", Mock(side_effect=error))
        with pytest.raises(type(error)):
            write_atomically(tmp_path / "file", b"third")
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"second"]


def test_the_next_free_name(tmp_path: Path) -> None:
    """The name itself, then with a number."""
    names = [tmp_path / name for name in ("phones.xlsx", "phones-2.xlsx", "phones-3.xlsx")]
    for name in names:
        assert next_free_path(names[0]) == name
        name.touch()


def cells(html: str) -> list[tuple[str, str]]:
    """Side and text of each cell, headers first."""
    return re.findall(r'<t[hd] style="text-align:(\w+)">(.*?)</t[hd]>', html)


def test_text_stands_left_and_numbers_right() -> None:
    """Sentences whole, everything escaped; the numbers of an unnamed index are left out."""
    sentence = "<b>a sentence</b> " * 20
    html = table_as_html(pd.DataFrame({"advice": [sentence], "found": [3], "good": [True]}, index=[7]))
    escaped = sentence.replace("<", "&lt;").replace(">", "&gt;")
    headers = [("left", "advice"), ("right", "found"), ("left", "good")]
    assert cells(html) == [*headers, ("left", escaped.strip()), ("right", "3"), ("left", "True")]


def test_a_named_index_is_its_first_columns() -> None:
    """Rows of orders, what a table was grouped by, and labels without a name."""
    orders = read_orders(MESS)
    html = table_as_html(orders.head(1))
    assert f"<p>{orders.attrs['itnio']}</p>" in html
    assert cells(html)[0] == ("right", "row")
    assert ("right", "quantity") in cells(html)
    grouped = pd.DataFrame({"app": ["b", "a"], "n": [1, 2]}).groupby("app").agg(n=("n", "sum"))
    assert [text for _, text in cells(table_as_html(grouped))] == ["app", "n", "a", "2", "b", "1"]
    assert [text for _, text in cells(table_as_html(pd.Series({"x": 1}).to_frame("n")))] == ["", "n", "x", "1"]
    twice = pd.DataFrame({"row": [1]}, index=pd.Index([5], name="row"))
    assert [text for _, text in cells(table_as_html(twice))] == ["row", "row", "5", "1"]
    deep = pd.concat({"a": orders, "b": orders}, axis=1)
    assert "<table" in table_as_html(deep)


def test_a_long_table_shows_its_ends() -> None:
    """And how many rows it has; no rows are said, in place of a row of headers."""
    for rows, shown in ((60, 60), (61, 21), (100_000, 21)):
        html = table_as_html(pd.DataFrame({"n": range(rows)}))
        assert html.count("<tr>") == shown
        assert (f"{rows} rows" in html) == (rows > 60)
    assert table_as_html(pd.DataFrame(columns=["advice"])) == "<p>No rows.</p>"
    assert "<p>No rows.</p>" in table_as_html(read_orders(MESS).head(0))


def test_written_files_show_how_many_rows_each_has() -> None:
    """A dict of paths by kind; the sum is said, and a hostile kind is text."""
    paths = {"created": Path("results/a.csv"), "<b>": Path("results/b.csv")}
    files = WrittenFiles(paths, {"created": 1200, "<b>": 1}, "order")
    assert files == paths
    assert repr(files) == "2 files in results/ with 1,201 orders: created 1,200, <b> 1."
    assert "<b>" not in files._repr_html_()
    assert ("right", "1200") in cells(files._repr_html_())
    nothing = WrittenFiles({}, {}, "order")
    assert (repr(nothing), nothing._repr_html_()) == ("No files were written.", "<p>No files were written.</p>")
