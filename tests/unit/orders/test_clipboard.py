"""What spreadsheets put on the clipboard: forty shapes of a block; no tab or line break ever comes into a cell."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itnio_nb.orders.formats.clipboard import parse_clipboard, without_headers

SHEETS = "<google-sheets-html-origin><style>td {{border: 1px}}</style><table data-sheets-root=1>{}</table>"
EXCEL = (
    '<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head>'
    "<style>\r\n<!--td\r\n\t{{mso-number-format:General}}-->"
    "\r\n</style></head><body><table><!--StartFragment-->\r\n{}<!--EndFragment--></table></body></html>"
)
ROW = "<tr><td>{}</td><td>{}</td></tr>"
TWO = [["a", "1"], ["b", "2"]]
TOLD = '<tr><td data-sheets-value="{&quot;1&quot;:3,&quot;3&quot;:861085000123}">8.61E+11</td><td>3</td></tr>'

# Text, HTML beside it, and the block.
SHAPES: dict[str, tuple[str, str, list[list[str]]]] = {
    "one cell of Google Sheets": ("sales", SHEETS.format("<tr><td>sales</td></tr>"), [["sales"]]),
    "one cell of Excel, which ends its lines": ("sales\r\n", EXCEL.format("<tr><td>sales</td></tr>"), [["sales"]]),
    "one row": ("sales\tdesk\t3", "", [["sales", "desk", "3"]]),
    "one column": ("sales\nsupport\noffice", "", [["sales"], ["support"], ["office"]]),
    "one column of Excel": ("sales\r\nsupport\r\n", "", [["sales"], ["support"]]),
    "a block of Google Sheets": ("a\t1\nb\t2", SHEETS.format(ROW.format("a", 1) + ROW.format("b", 2)), TWO),
    "a block of Excel": ("a\t1\r\nb\t2\r\n", EXCEL.format(ROW.format("a", 1) + ROW.format("b", 2)), TWO),
    "old line ends": ("a\t1\rb\t2\r", "", TWO),
    "an empty cell in the middle": ("a\t\tc", "", [["a", "", "c"]]),
    "an empty cell at the end": ("a\tb\t", "", [["a", "b", ""]]),
    "an empty cell at the beginning": ("\tb", "", [["", "b"]]),
    "an empty row in the middle": ("a\t1\n\t\nb\t2", "", [["a", "1"], ["", ""], ["b", "2"]]),
    "an empty last row of Excel": ("a\r\n\r\n", "", [["a"], [""]]),
    "an empty cell alone of Excel": ("\r\n", "", []),
    "nothing": ("", "", []),
    "a line break in a cell": ('"Hall\n2"\t5', "", [["Hall 2", "5"]]),
    "Excel's line break in a cell": ('"Hall\r\n2"\t5\r\n', "", [["Hall 2", "5"]]),
    "a tab in a cell": ('"Hall\t2"\t5', "", [["Hall 2", "5"]]),
    "several line breaks": ('"Hall\n\n\n2"\t5', "", [["Hall 2", "5"]]),
    "a line break at the end of a cell": ('"Hall\n"\t5', "", [["Hall", "5"]]),
    "a line break in the last cell": ('a\t"b\nc"', "", [["a", "b c"]]),
    "quotes in a quoted cell": ('"the ""big""\nhall"\t5', "", [['the "big" hall', "5"]]),
    "a quoted cell without need": ('"Hall"\t5', "", [["Hall", "5"]]),
    "a quote that is an inch": ('19" rack\t5', "", [['19" rack', "5"]]),
    "a nickname at the beginning": ('"Big" Joe\t5', "", [['"Big" Joe', "5"]]),
    "a quote that nobody closes": ('"Hall\t5\nRoom\t6', "", [['"Hall', "5"], ["Room", "6"]]),
    "a vertical tab, as Excel for Mac has it": ("Hall\v2\t5", "", [["Hall 2", "5"]]),
    "line separators of Unicode": ("Hall\u20282\u2029x\x85y\t5", "", [["Hall 2 x y", "5"]]),
    "a mark at the beginning": ("\ufeffsales\t3", "", [["sales", "3"]]),
    "a NUL": ("sa\0les\t3", "", [["sales", "3"]]),
    "rows of different lengths": ("a\tb\tc\nd", "", [["a", "b", "c"], ["d"]]),
    "HTML alone": ("", EXCEL.format(ROW.format("a", "1")), [["a", "1"]]),
    "HTML alone, a line break in it": ("", SHEETS.format(ROW.format("Hall<br>2", "\n5 ")), [["Hall 2", "5"]]),
    "HTML alone, merged across": ("", EXCEL.format("<tr><td colspan=2>a</td><td>b</td></tr>"), [["a", "", "b"]]),
    "HTML alone, merged down": (
        "",
        EXCEL.format("<tr><td rowspan=2>a</td><td>1</td></tr><tr><td>2</td></tr>"),
        [["a", "1"], ["", "2"]],
    ),
    "HTML with marks and markup": ("", SHEETS.format(ROW.format("a &amp; b", "<b>3</b>")), [["a & b", "3"]]),
    "HTML without the ends of its tags": ("", "<table><tr><td>a<td>1<tr><td>b<td>2</table>", TWO),
    "a number that Sheets shows with an exponent": ("8.61E+11\t3", SHEETS.format(TOLD), [["861085000123", "3"]]),
    "a number for which Excel's column is too narrow": (
        "#####\t3\r\n",
        EXCEL.format('<tr><td x:num="8610850001">#####</td><td>3</td></tr>'),
        [["8610850001", "3"]],
    ),
    "a number that is hidden, and nothing tells it": ("8.61E+11\t3", "", [["8.61E+11", "3"]]),
    "rows of CSV": ("sales;desk;3\nsupport;line;5", "", [["sales", "desk", "3"], ["support", "line", "5"]]),
    "rows of CSV with commas": ("a, desk, 3\nb, line, 5", "", [["a", "desk", "3"], ["b", "line", "5"]]),
    "commas in one column of a spreadsheet": (
        "Hall 2, floor 1, desk\nHall 3, floor 1, desk",
        SHEETS.format("<tr><td>Hall 2, floor 1, desk</td></tr><tr><td>Hall 3, floor 1, desk</td></tr>"),
        [["Hall 2, floor 1, desk"], ["Hall 3, floor 1, desk"]],
    ),
    "half a surrogate pair": ("a\ud83d\t5", "", [["a\\ud83d", "5"]]),
    "a comma in a text": ("Hall, left\nHall, right", "", [["Hall, left"], ["Hall, right"]]),
    "leading zeros and a plus": ("007\t+8610850001", "", [["007", "+8610850001"]]),
    "a formula is text": ("=1+1\t@x", "", [["=1+1", "@x"]]),
    "markup is text": ("<b>x</b>\t3", "", [["<b>x</b>", "3"]]),
    "blanks that do not break stay for the check": ("Hall\xa02\t5", "", [["Hall\xa02", "5"]]),
}
BREAK = re.compile("[\t\r\n\v\f\x1c-\x1f\x85\u2028\u2029\0]")


def test_there_are_forty_shapes() -> None:
    """As many as were promised."""
    assert len(SHAPES) >= 40


@pytest.mark.parametrize("name", SHAPES)
def test_a_block_is_read(name: str) -> None:
    """As its spreadsheet shows it."""
    text, html, block = SHAPES[name]
    assert parse_clipboard(text, html) == block


@given(st.text(alphabet='ab"\t\r\n\v\f\x85\u2028\u2029;, \0\x1c', max_size=40), st.sampled_from(["", "<td>x\ty<td>z"]))
def test_no_tab_or_line_break_is_ever_in_a_cell(text: str, html: str) -> None:
    """Whatever is on the clipboard."""
    assert not [cell for line in parse_clipboard(text, html) for cell in line if BREAK.search(cell)]


@given(st.lists(st.lists(st.text(alphabet='ab"=; 1', max_size=5), min_size=2, max_size=3), min_size=1, max_size=4))
def test_what_a_spreadsheet_writes_is_read_back(block: list[list[str]]) -> None:
    """Cells with quotes are quoted, their quotes doubled, as our own grid copies them."""
    quoted = [['"' + cell.replace('"', '""') + '"' if '"' in cell else cell for cell in line] for line in block]
    assert parse_clipboard("\r\n".join("\t".join(line) for line in quoted)) == block


def test_hostile_markup_is_read_in_time() -> None:
    """Spans of millions, tables in tables, cells outside of any row."""
    assert parse_clipboard("", "<table><td colspan=999999999>a</table>")[0][:2] == ["a", ""]
    assert parse_clipboard("", "<td>a<td>b") == [["a", "b"]]
    assert parse_clipboard("", "<table><tr><td>a<table><tr><td>b</table></table>") == [["a"], ["b"]]
    assert parse_clipboard("", "no table") == []
    assert len(parse_clipboard('"' + "a\t" * 20_000)[0]) == 20_001


NAMES = ["groupName", "phoneName", "quantity"]


@pytest.mark.parametrize(
    ("lines", "columns", "rest", "names"),
    [
        ([["groupName", "quantity"], ["a", "1"]], NAMES, 1, ["groupName", "quantity"]),
        ([["groupName", "quantity"], ["a", "1"]], NAMES[2:], 1, ["groupName", "quantity"]),  # left of the cell
        ([["groupName", "appId"], ["a", "1"]], NAMES, 2, NAMES[:2]),  # which this table does not have
        ([["Group", "Qty"], ["a", "1"]], NAMES, 1, ["groupName", "quantity"]),
        ([["SITE", "groupname"], ["a", "1"]], ["groupName", "Site"], 1, ["Site", "groupName"]),
        ([["quantity"], ["1"]], ["groupName"], 1, ["quantity"]),
        ([["Phone"], ["Fax-1"]], ["phoneName"], 2, ["phoneName"]),  # a name, as one calls a phone
        ([["Phones"], ["Fax-1"]], ["phoneName"], 2, ["phoneName"]),
        ([["groupName", "groupName"], ["a", "1"]], NAMES, 2, NAMES[:2]),
        ([["groupName", "x"], ["a", "1"]], NAMES, 2, NAMES[:2]),
        ([["groupName"]], NAMES, 1, NAMES[:1]),
        ([["a", "1"], ["b", "2"]], NAMES, 2, NAMES[:2]),
        ([], NAMES, 0, []),
    ],
)
def test_a_line_of_headers_says_what_the_others_are_for(
    lines: list[list[str]], columns: list[str], rest: int, names: list[str]
) -> None:
    """Where each of its cells is a column's name; one line alone is no header."""
    block, found = without_headers(lines, columns, [*NAMES, "Site"])
    assert (len(block), found) == (rest, names)
