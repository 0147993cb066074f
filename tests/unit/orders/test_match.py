"""Tables of other shapes: headers that the operator matches, delimiters found by the headers, the template."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from itnio_nb import InputError, check_orders, read_orders, write_template
from itnio_nb.errors import MissingColumnsError
from tests.support.factories import APP, COLUMNS
from tests.support.spreadsheets import source_of, workbook

FOREIGN = b"Site,Group,Handset prefix,Anzahl,Rufnummer\nA,sales,desk,3,8610850001\nB,north,line,4,8610850002\n"
MATCH = {"phoneName": "Handset prefix", "quantity": "Anzahl", "displayNum": "Rufnummer"}


def test_unknown_headers_are_matched() -> None:
    """By their words, whatever their case and blanks; the file's own headers are kept."""
    for match in (MATCH, {"phone name": "handset_prefix", "qty": "ANZAHL", "caller id": " rufnummer "}):
        orders = read_orders(FOREIGN, constants={"appId": "x"}, match=match)
        assert orders.iloc[0].tolist() == ["sales", "desk", "3", "8610850001", "x", "A"]
        assert check_orders(orders).empty
    assert source_of(orders).headers == ("Site", "Group", "Handset prefix", "Anzahl", "Rufnummer", "appId")


def test_a_match_goes_before_a_known_header() -> None:
    """What had the name before is another column."""
    data = b"phoneName,groupName,quantity,displayNum,appId,Handset\nIT,sales,3,8610850001,x,desk\n"
    orders = read_orders(data, match={"phoneName": "Handset"})
    assert orders["phoneName"].tolist() == ["desk"]
    assert orders["phoneName (another)"].tolist() == ["IT"]


def test_headers_are_found_below_a_title_by_what_is_matched() -> None:
    """Of a sheet and of a CSV with another delimiter, too."""
    title = b"Phones of 2026;;;;\n\n"
    orders = read_orders(title + FOREIGN.replace(b",", b";"), constants={"appId": "x"}, match=MATCH)
    assert (source_of(orders).header_row, len(orders)) == (3, 2)
    rows = [tuple(line.split(",")) for line in FOREIGN.decode().splitlines()]
    book = workbook(("Phones",), *rows, second_sheet=True)
    assert len(read_orders(book, constants={"appId": "x"}, match=MATCH)) == 2


WRONG = [
    ({"phone": "Site"}, "Rename or add the column"),  # an alias of phoneName, which is matched; others are missing
    ({"speed": "Site"}, "not for speed"),
    ({**MATCH, "phoneName": "Handsets"}, "has no header 'Handsets'. Its headers: 'Site', 'Group'"),
    ({**MATCH, "phoneName": ""}, "has no column for phoneName"),  # "" is no header
    ({**MATCH, "phoneName": "Anzahl"}, "one header is matched with two columns"),
    ({**MATCH, "groupName": "Rufnummer"}, "one header is matched with two columns"),
]


@pytest.mark.parametrize(("match", "words"), WRONG)
def test_a_match_that_cannot_be(match: dict[str, str], words: str) -> None:
    """It is said which, and what there is."""
    with pytest.raises(InputError) as refused:
        read_orders(FOREIGN, constants={"appId": "x"}, match=match)
    assert words in str(refused.value)


GUESSES = [
    ("Site,Gruppe,Prefix,Anzahl,Rufnummer", "A,sales,desk,3,8610850001", "B,north,line,4,8610850002"),
    (
        "grp name,handset,no. of phones,number shown,application",
        "sales,desk,3,8610850001,4luaKsL2",
        "north,line,4,8610850002,4luaKsL2",
    ),
    ("a,b,c,d,e", "sales,desk,3,+86 10 850001,4luaKsL2", "north,line,4,86-10-850002,4luaKsL2"),
]


@pytest.mark.parametrize("lines", GUESSES)
def test_the_likeliest_headers_are_in_the_error(lines: tuple[str, ...]) -> None:
    """With three cells of each, in its words and for a form; matched so, the table is read."""
    data = "\n".join(lines).encode()
    with pytest.raises(MissingColumnsError) as refused:
        read_orders(data)
    error = refused.value
    assert set(error.guesses) >= {"quantity", "displayNum"} - set(COLUMNS).difference(error.missing)
    for column, (header, cells) in error.guesses.items():
        assert f"did you mean '{header}' ({', '.join(cells)}) for {column}" in str(error)
    match = {column: header for column, (header, _) in error.guesses.items()}
    given = {column: "4luaKsL2" for column in error.missing if column not in match}
    orders = read_orders(data, match=match, constants=given)
    assert orders["quantity"].tolist() == ["3", "4"]
    assert orders["groupName"].tolist() == ["sales", "north"]


ROWS = [f"{'|'.join(COLUMNS)}|remark", "sales|desk|3|8610850001|x|{}", "north|line|4|8610850002|x|{}"]
# The delimiter, and what stands in the remarks.
DELIMITED = [
    (";", "a, b, c, d, e, f"), (";", "1,5 m, 2,5 m"), (";", "a\tb\tc"), (";", "Hall 2, 1st floor, left, at the end"),
    (";", '"a\nb, c, d, e, f, g"'), (",", '"a;b;c;d;e;f;g"'), (",", '"a|b|c|d|e|f|g"'), (",", "a;b;c;d;e;f"),
    (",", "a | b | c | d | e"), (",", '"Leeds; UK\nroom; 5; 6; 7; 8"'), ("\t", "a, b, c, d, e, f"),
    ("\t", "a;b;c;d;e;f"), ("\t", '"x, ""y"", z"'), ("\t", "=A1,B1;C1|D1"), ("|", "a, b, c, d, e, f"),
    ("|", "a;b;c;d;e;f;g"),
]  # fmt: skip


@pytest.mark.parametrize(("delimiter", "remark"), DELIMITED)
def test_the_delimiter_is_the_one_that_yields_the_headers(delimiter: str, remark: str) -> None:
    """However many others there are in other cells."""
    lines = [line.replace("|", delimiter).replace("{}", remark) for line in ROWS]
    orders = read_orders("\n".join(lines).encode())
    assert orders["groupName"].tolist() == ["sales", "north"]
    assert len(orders.columns) == 6
    assert check_orders(orders).query("severity == 'error'").empty


def test_the_template(tmp_path: Path) -> None:
    """Unedited it reads without an error, and is told to be the example; filled in, nothing is told."""
    path = write_template(tmp_path / "new" / "phones.xlsx")
    orders = read_orders(path)
    findings = check_orders(orders)
    assert findings[["severity", "problem"]].to_numpy().tolist() == [["warning", "is the example of the template"]]
    with pytest.raises(InputError, match=r"phones\.xlsx exists: choose another name"):
        write_template(path)
    book = openpyxl.load_workbook(path)
    sheet = book.active
    checked = {str(one.sqref) for one in sheet.data_validations.dataValidation}
    assert checked == {f"{letter}2:{letter}10001" for letter in "ABCDE"}
    for row, order in enumerate(
        [("sales", "desk", 30, "0755820001", "x1"), ("north", "line", "12", "0755820002", "x1")], 2
    ):
        for place, value in enumerate(order, 1):
            sheet.cell(row, place).value = value
    book.save(path)
    filled = read_orders(path)
    assert filled["displayNum"].tolist() == ["0755820001", "0755820002"]
    assert check_orders(filled).empty


@pytest.mark.parametrize("name", ["", ".", "a\0b", "x" * 300 + ".xlsx"])
def test_a_template_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    """In words, with what to do."""
    with pytest.raises(InputError, match="choose another"):
        write_template(f"{tmp_path}/{name}")


def test_a_file_without_headers_is_matched_by_place() -> None:
    """With `header=0` each row is an order, and columns are called by their places."""
    data = b"sales,desk,3,8610850001\nnorth,line,4,8610850002\n"
    with pytest.raises(MissingColumnsError) as refused:
        read_orders(data)
    assert (refused.value.is_headerless, refused.value.row) == (True, 1)
    with pytest.raises(MissingColumnsError) as refused:
        read_orders(data, header=0)
    error = refused.value
    assert (error.is_headerless, error.row, error.headers[3]) == (False, 0, "column 4")
    assert error.samples["column 4"] == ["8610850001", "8610850002"]
    match = {"groupName": "column 1", "phoneName": "column 2", "quantity": "column 3", "displayNum": "column 4"}
    orders = read_orders(data, header=0, match=match, constants={"appId": "x"})
    assert orders.index.tolist() == [1, 2]
    assert orders["groupName"].tolist() == ["sales", "north"]
    assert source_of(orders).header_row == 0


def test_a_known_header_is_matched_with_nothing() -> None:
    """Its column is another one then, and a value for all rows can be given."""
    data = b"groupName,phoneName,quantity,displayNum,appId\nsales,desk,3,8610850001,x\n"
    orders = read_orders(data, match={"quantity": ""}, constants={"quantity": "7"})
    assert orders["quantity"].tolist() == ["7"]
    assert orders["quantity (another)"].tolist() == ["3"]


def test_what_is_known_of_a_table_is_in_the_error() -> None:
    """What was recognised, first cells of each column, the row of headers; of two that mean the same, which."""
    with pytest.raises(MissingColumnsError) as refused:
        read_orders(b"June phones,\n\n" + FOREIGN)
    error = refused.value
    assert (error.row, error.recognised) == (3, {"groupName": "Group"})
    assert error.samples == {"Site": ["A", "B"], "Group": ["sales", "north"],
        "Handset prefix": ["desk", "line"], "Anzahl": ["3", "4"], "Rufnummer": ["8610850001", "8610850002"]
    }  # fmt: skip
    with pytest.raises(MissingColumnsError) as refused:
        read_orders(b"group,phone group,phoneName,quantity,displayNum,appId\na,b,desk,1,8610850001,x\n")
    error = refused.value
    assert (error.missing, error.guesses) == (("groupName",), {"groupName": ("group", ["a"])})
    assert error.headers == ("group", "phone group")


TITLES = ["Phones\n", "Phones,June\n\n", "\n\nPhones for,June\n", "as of,2026-11-02\nby,me\n"]


@pytest.mark.parametrize("title", TITLES)
def test_foreign_headers_are_found_below_a_title(title: str) -> None:
    """Though none of them is known: a title has fewer cells than the table."""
    table = b"Site,Gruppe,Prefix,Anzahl,Rufnummer\nA,sales,desk,3,8610850001\nB,north,line,4,8610850002\n"
    with pytest.raises(MissingColumnsError) as refused:
        read_orders(title.encode() + table)
    assert refused.value.headers == ("Site", "Gruppe", "Prefix", "Anzahl", "Rufnummer")


def test_a_few_bad_cells_do_not_hide_what_a_column_is() -> None:
    """Files are read to be mended: names that are too short, numbers with letters, blanks around headers and cells."""
    table = pd.DataFrame(
        {
            " Team ": ["ab" if at == 9 else f" team-{at:02}" for at in range(20)],
            "Präfix": [f"desk-{at:02} " for at in range(20)],
            "Anzahl": [f" {2 + at % 5} " for at in range(20)],
            "Anzeige": ["8610-85OO" if at == 3 else f" +86 10-8500-{at:04}" for at in range(20)],
            "Anwendung": [APP] * 20,
            "Ort": ["Köln"] * 20,
        }
    )
    with pytest.raises(MissingColumnsError) as caught:
        read_orders(table.to_csv(index=False).encode())
    assert {column: header.strip() for column, (header, _) in caught.value.guesses.items()} == {
        "groupName": "Team",
        "phoneName": "Präfix",
        "quantity": "Anzahl",
        "displayNum": "Anzeige",
        "appId": "Anwendung",
    }
