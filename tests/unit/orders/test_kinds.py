"""Files that are no table, whatever their names say; paths as people give them; cells that swallowed rows."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from itnio_nb import InputError, check_orders, read_orders
from tests.support.factories import COLUMNS
from tests.support.spreadsheets import HEADER, csv, workbook

ROW = "sales,desk,3,8610850001,x"
TABLE = "".join(f"<tr><td>{'</td><td>'.join(cells)}</td></tr>" for cells in (COLUMNS, ROW.split(",")))
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def archive(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as parts:
        for name in names:
            parts.writestr(name, "x")
    return data.getvalue()


def encrypted(data: bytes) -> bytes:
    """An archive whose entries say that they are encrypted."""
    return data.replace(b"PK\x03\x04\x14\x00\x00\x00", b"PK\x03\x04\x14\x00\x01\x00").replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"
    )


GOOD = csv(ROW)
WORKBOOK = workbook(tuple(COLUMNS), tuple(ROW.split(",")))
# The bytes, what they are said to be, the step that helps.
KINDS = {
    "password": (OLE + "EncryptedPackage".encode("utf-16-le"), "protected by a password", "remove it"),
    "zip with a password": (encrypted(archive("orders.csv")), "protected by a password", "remove it"),
    "html": (f"<html><body><table>{TABLE}</table></body></html>".encode(), "a web page (HTML)", "save it as XLSX"),
    "html of excel": (
        f"<html xmlns:x='urn:schemas-microsoft-com:office:excel'><table>{TABLE}</table>".encode(), "web page", "XLSX"),
    "a table alone": (f"\n <TABLE border=1>{TABLE}</TABLE>".encode(), "a web page (HTML)", "save it as XLSX"),
    "a login page": (b"<!DOCTYPE html>\r\n<html><head><title>Sign in</title>", "a web page (HTML)", "XLSX"),
    "html with a mark": (b"\xef\xbb\xbf<!doctype HTML><html>", "a web page (HTML)", "save it as XLSX"),
    "html on one line": (b"<html>" + TABLE.encode() * 5000, "a web page (HTML)", "save it as XLSX"),
    "xml 2003": (
        b'<?xml version="1.0"?>\n<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
        "a spreadsheet in the old XML format (2003)", "save it as XLSX"),
    "other xml": (b'<?xml version="1.0"?><orders/>', "XML", "save it as XLSX"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF", "copy its table into a spreadsheet"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(20), "a picture", "type the orders"),
    "jpeg": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a picture", "type the orders"),
    "gif": (b"GIF89a", "a picture", "type the orders"),
    "gzip": (gzip.compress(GOOD), "compressed with gzip", "unpack it first"),
    "bzip2": (b"BZh91AY&SY", "compressed with bzip2", "unpack it first"),
    "7z": (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    "rar": (b"Rar!\x1a\x07\x01\x00", "a RAR archive", "unpack it first"),
    "zip": (archive("orders.csv"), "a ZIP archive (orders.csv)", "unpack it first"),
    "gsheet": (b'{"url": "https://example.invalid/open?id=1", "doc_id": "1"}', "a shortcut to an online", "download"),
    "json": (json.dumps([dict(zip(COLUMNS, ROW.split(","), strict=True))]).encode(), "JSON", "make a table of it"),
    "lnk": (b"L\0\0\0\x01\x14\x02\0" + bytes(60), "a shortcut to a file", "give the file that it leads to"),
    "url": (b"[InternetShortcut]\r\nURL=https://example.invalid", "a shortcut to an address", "download"),
    "numbers": (archive("Index/Document.iwa"), "a Numbers or Pages document", "export it as Excel"),
    "docx": (archive("word/document.xml"), "a Word document", "copy its table"),
    "doc": (OLE + "WordDocument".encode("utf-16-le"), "a Word document", "copy its table"),
    "msg": (OLE + "__properties_version1.0".encode("utf-16-le"), "an e-mail", "save what is attached"),
    "eml": (b"Received: from mail\r\nSubject: orders\r\n\r\n" + GOOD, "an e-mail", "save what is attached"),
    "rtf": (b"{\\rtf1\\ansi", "a text document (RTF)", "copy its table"),
    "database": (b"SQLite format 3\0", "a database", "export its table"),
    "cut off": (WORKBOOK[: len(WORKBOOK) // 2], "damaged, or not all of it was copied", "copy it once more"),
    "a NUL in a row": (csv(ROW, "no\0rth,line,3,8610850001,x"), "a NUL character in row 3", "type that row again"),
    "NULs at the end": (GOOD + bytes(4096), "ends in NUL characters", "Copy or export it once more"),
    "nothing but NULs": (bytes(4096), "neither a spreadsheet nor CSV", "save it as XLSX"),
    "lines in one cell": (csv(f'"{ROW}"', header=f'"{HEADER}"'), "whole lines in one cell", "Text to Columns"),
    "lines in a column": (workbook((HEADER,), (ROW,)), "whole lines in one cell", "Text to Columns"),
    "below a title": (workbook(("Phones of 2026",), (HEADER,), (ROW,)), "whole lines in one cell", "Text to Columns"),
    "semicolons in a cell": (workbook((HEADER.replace(",", ";"),), (ROW,)), "whole lines in one cell", "columns"),
    "full-width commas": (HEADER.replace(",", "，").encode() + f"\n{ROW}".encode(), "has ， between its cells", "XLSX"),
    "full-width semicolons": (f"{HEADER.replace(',', '；')}\n{ROW}".encode(), "has ； between its cells", "XLSX"),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_what_kind_of_file_it_is(name: str) -> None:
    """In words that name it and the step that helps; nothing long is quoted."""
    data, what, step = KINDS[name]
    with pytest.raises(InputError) as refused:
        read_orders(data)
    words = str(refused.value)
    assert what in words
    assert step in words
    assert "Rename or add the column" not in words
    assert len(words) < 300


def test_long_texts_are_quoted_in_part() -> None:
    """Headers, sheets, cells, paths: at most 80 characters of each, ten of a kind."""
    long = "x" * 100_000
    for data in (csv(ROW, header=long), csv(ROW, header=",".join(f"{long[:5000]}{at}" for at in range(50)))):
        with pytest.raises(InputError) as refused:
            read_orders(data)
        assert len(str(refused.value)) < 1_500
    with pytest.raises(InputError) as refused:
        read_orders(long)
    assert len(str(refused.value)) < 500
    findings = check_orders(
        read_orders(csv(f"{long},desk,{long},8610850001{long},{long}", f"{long},desk,3,8610850001,x"))
    )
    assert findings["value"].str.len().max() <= 80
    assert findings["problem"].str.len().max() < 250


@pytest.mark.parametrize("form", ["{}", '"{}"', "'{}'", " {} ", "file://{}", ' "{}"'])
def test_paths_as_they_are_copied(form: str, tmp_path: Path) -> None:
    """From a file manager or a shell: in quotes, with blanks around, as an address."""
    path = tmp_path / "my phones.csv"
    path.write_bytes(GOOD)
    assert len(read_orders(form.format(path))) == 1


def test_a_path_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """~ is one's home; the name of somebody who is not there is said as it stands."""
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    (tmp_path / "phones.csv").write_bytes(GOOD)
    assert len(read_orders("~/phones.csv")) == 1
    assert len(read_orders("'~/phones.csv'")) == 1
    with pytest.raises(InputError, match="no file"):
        read_orders("~nobody-of-that-name/phones.csv")


LINES = [f"group{at},phone{at},3,86108500{at:02},x,note" for at in range(1, 6)]
MORE = f"{HEADER},remark"
# The lines, with a quote that is not meant as one, and the row that is told.
SWALLOWED = {
    "remark": ([LINES[0], LINES[1].replace("note", '"old'), LINES[2], LINES[3].replace("note", 'old"'), LINES[4]], 3),
    "all the others": ([LINES[0].replace("note", '"old'), *LINES[1:4], LINES[4].replace("note", 'old"')], 2),
    "inches": ([LINES[0].replace("note", '"19 rack'), LINES[1].replace("note", '21"'), *LINES[2:]], 2),
    "two of them": (
        [LINES[0].replace("note", '"a'), LINES[1].replace("note", 'b"'), LINES[2].replace("note", '"c'),
         LINES[3].replace("note", 'd"'), LINES[4]], 2),
    "the last rows": ([*LINES[:3], LINES[3].replace("note", '"old'), LINES[4].replace("note", 'x"')], 5),
}  # fmt: skip


@pytest.mark.parametrize("name", SWALLOWED)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_that_a_quote_swallowed(name: str, delimiter: str, end: str) -> None:
    """A cell of several lines that look like orders is a doubt at its row."""
    lines, row = SWALLOWED[name]
    data = end.join([MORE, *lines, ""]).replace(",", delimiter).encode()
    orders = read_orders(data)
    assert len(orders) < 5
    told = check_orders(orders).query("severity == 'warning'")
    assert told["row"].tolist()[0] == row
    assert "look like an order" in told["problem"].tolist()[0]


@pytest.mark.parametrize(
    "remark",
    ['"call first\nthen come"', '"a, b\nc, d"', '"Leeds,\nUK"', '"19"" rack"', '"1\n2\n3"', '"one, two, three"'],
)
def test_a_remark_of_several_lines(remark: str) -> None:
    """It is one cell, and nothing is told."""
    orders = read_orders(f"{MORE}\n{LINES[0].replace('note', remark)}\n{LINES[1]}\n".encode())
    assert len(orders) == 2
    assert check_orders(orders).empty


@pytest.mark.parametrize("divider", [",", ";", "|", "，"])
def test_a_whole_row_in_one_cell(divider: str) -> None:
    """Below headers that are divided: named, besides the cells that are missing."""
    data = workbook(tuple(COLUMNS), (ROW.replace(",", divider),), tuple(ROW.split(",")))
    findings = check_orders(read_orders(data))
    assert "holds a whole row, not divided into cells" in findings["problem"].tolist()
    assert set(findings["row"]) == {2}
