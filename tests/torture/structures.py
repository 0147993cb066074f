"""Files made from odd pieces: workbooks and CSV whose structure is what programs and people have never agreed about."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable

from tests.support.factories import COLUMNS

ROW = ("sales", "desk", "3", "8610850001", "4luaKsL2")
FORMATS = ["General", "@", "0", "yyyy-mm-dd", "[h]:mm", "0000000000", '"+86 "0', "[$-804]yyyy年m月", "[", "mm:ss.0"]
TYPES = ["s", "str", "inlineStr", "e", "b", "n", "d", "", "x", "S"]
VALUES = ["0", "1", "8610850001", "-1", "99999999", "1E+400", "NaN", "", " ", "#SPILL!", "#N/A", "true", "2025-03-05"]
VALUES += ["x" * 40_000]
REFERENCES = ["A1", "XFD1048576", "A1048577", "ZZZ9", "a1", "1A", "A0", "A-1", "", "A1:B2", "AAAA1", "XFE1", "é1"]
REFERENCES += ["A99999999999"]
SPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def _columns(chance: random.Random) -> list[int]:
    return [0, 1, 2, 3, 4, *chance.sample([5, 6, 25, 26, 255, 701, 702, 16383, 16384], chance.randrange(3))]


def letters(place: int) -> str:
    """Return the name of a column: A of 0, AA of 26."""
    name = ""
    place += 1
    while place:
        place, left = divmod(place - 1, 26)
        name = chr(ord("A") + left) + name
    return name


def _cell(chance: random.Random, column: int, row: int, text: str) -> str:
    """One cell: usually a text where it belongs, now and then odd in each of its parts."""
    reference = f"{letters(column)}{row}" if chance.random() < 0.99 else chance.choice(REFERENCES)
    place = f' r="{reference}"' if chance.random() < 0.95 else ""
    if chance.random() < 0.94:
        return f'<c{place} t="inlineStr"><is><t>{text}</t></is></c>'
    kind, value = chance.choice(TYPES), chance.choice(VALUES)
    attributes = f' t="{kind}"' if kind else ""
    attributes += f' s="{chance.choice([0, 1, 5, 99, -1, 4294967296])}"' if chance.random() < 0.3 else ""
    formula = "<f>A1+1</f>" if chance.random() < 0.2 else ""
    whole = [f"{formula}<v>{value}</v>", f"{formula}<v/>", formula, f"<is><t>{value}</t></is>"]
    body = chance.choice(whole) if chance.random() < 0.98 else f"<v>{value}"
    return f"<c{place}{attributes}>{body}</c>"


def _sheet(chance: random.Random) -> str:
    rows = []
    far = [4, 5, 60, 1000, 70_000, 1_048_575, 1_048_576, 1_048_577, 0]
    numbers = [1, 2, 3, *chance.sample(far, chance.choice([0, 0, 1, 3]))]
    if chance.random() < 0.1:
        chance.shuffle(numbers)
    for at, number in enumerate(numbers):
        texts = COLUMNS if at == 0 else ROW
        columns = _columns(chance) if chance.random() < 0.3 else range(5)
        cells = [_cell(chance, column, number, texts[column] if column < 5 else " ") for column in columns]
        hidden = ' hidden="1"' if chance.random() < 0.1 else ""
        place = f' r="{number}"' if chance.random() < 0.95 else ""
        rows.append(f"<row{place}{hidden}>{''.join(cells)}</row>")
    odd = f'<dimension ref="{chance.choice(REFERENCES)}"/>'
    dimension = chance.choice(["", '<dimension ref="A1:E3"/>', odd, "<dimension/>"])
    reference = chance.choice(["A2:A3", "A1:XFD1048576", "B2", "", "E2:A1"])
    merged = f'<mergeCells><mergeCell ref="{reference}"/></mergeCells>'
    end = merged if chance.random() < 0.2 else ""
    return f'<worksheet xmlns="{SPACE}">{dimension}<sheetData>{"".join(rows)}</sheetData>{end}</worksheet>'


def plain_workbook(sheets: int = 1) -> bytes:
    """Return an XLSX of empty sheets, S1 and so on."""
    main, numbers = f'xmlns="{SPACE}" xmlns:r="{OFFICE}"', range(1, sheets + 1)
    entries = "".join(f'<sheet name="S{at}" sheetId="{at}" r:id="rId{at}"/>' for at in numbers)
    empty = f"<worksheet {main}><sheetData/></worksheet>"
    return _packed(
        {
            **_frame({f"rId{at}": ("worksheet", f"worksheets/sheet{at}.xml") for at in numbers}),
            "xl/workbook.xml": f"<workbook {main}><sheets>{entries}</sheets></workbook>",
            **{f"xl/worksheets/sheet{at}.xml": empty for at in numbers},
        }
    )


def _frame(targets: dict[str, tuple[str, str]]) -> dict[str, str]:
    targets = targets | {"rId8": ("styles", "styles.xml"), "rId9": ("sharedStrings", "sharedStrings.xml")}
    return {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": _relations({"rId1": ("officeDocument", "xl/workbook.xml")}),
        "xl/_rels/workbook.xml.rels": _relations(targets),
    }


def _packed(parts: dict[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in parts.items():
            book.writestr(name, text)
    return data.getvalue()


def workbook(chance: random.Random) -> bytes:
    """Return an XLSX of one to three sheets of odd pieces."""
    number = chance.choice([1, 1, 1, 2, 3])
    states = ["", "", "", "", "", "", ' state="hidden"', ' state="veryHidden"', ' state="odd"']
    places = range(1, number + 1)
    sheets = "".join(f'<sheet name="S{at}" sheetId="{at}" r:id="rId{at}"{chance.choice(states)}/>' for at in places)
    view = f'<bookViews><workbookView activeTab="{chance.choice([0, 1, 7, -1])}"/></bookViews>'
    calendar = chance.choice(["", '<workbookPr date1904="1"/>'])
    targets = {f"rId{at}": ("worksheet", f"{chance.choice(['', '/xl/'])}worksheets/sheet{at}.xml") for at in places}
    count = chance.choice([0, 2, 2, 2, 4_294_967_295, -1])
    texts = f"<si><t>{chance.choice(VALUES)}</t></si><si/>"
    shapes = [shape.replace('"', "&quot;") for shape in FORMATS]
    formats = "".join(f'<numFmt numFmtId="{164 + at}" formatCode="{shape}"/>' for at, shape in enumerate(shapes))
    styles = "".join(f'<xf numFmtId="{chance.choice([0, 14, 46, 49, 164, 170, 999])}"/>' for _ in range(6))
    main = f'xmlns="{SPACE}" xmlns:r="{OFFICE}"'
    parts = {
        **_frame(targets),
        "xl/workbook.xml": f"<workbook {main}>{calendar}{view}<sheets>{sheets}</sheets></workbook>",
        "xl/sharedStrings.xml": f'<sst {main} count="{count}" uniqueCount="{count}">{texts}</sst>',
        "xl/styles.xml": f"<styleSheet {main}><numFmts>{formats}</numFmts><cellXfs>{styles}</cellXfs></styleSheet>",
        **{f"xl/worksheets/sheet{at}.xml": _sheet(chance) for at in places},
    }
    if chance.random() < 0.1:
        parts.pop(chance.choice(list(parts)))
    return _packed(parts)


def _relations(targets: dict[str, tuple[str, str]]) -> str:
    each = "".join(
        f'<Relationship Id="{name}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{each}</Relationships>'


def text(chance: random.Random) -> bytes:
    """Return a CSV of odd delimiters, quotes, widths, line ends and encodings."""
    delimiter = chance.choice([",", ";", "\t", "|", ",", ",", "，", " ", ":"])
    end = chance.choice(["\n", "\r\n", "\r", "\n\n", "\n\r"])
    lines = [delimiter.join(COLUMNS)]
    for at in range(chance.choice([0, 1, 3, 30])):
        cells = [*ROW, *[chance.choice(VALUES)] * chance.choice([0, 0, 0, 1, 3, 400])]
        cells[0] = f"{cells[0]}{at}"
        if chance.random() < 0.3:
            place = chance.randrange(len(cells))
            cells[place] = chance.choice(
                ['"', '"x', 'x"', '"a""b"', f'"a{delimiter}b"', f'"a{end}b"', "'", '=""', "\0", "\x1a"]
            )
        lines.append(delimiter.join(cells[: chance.choice([len(cells), len(cells), 2, 0])]))
    encoding = chance.choice(["utf-8", "utf-8-sig", "utf-16", "gb18030", "cp1252", "utf-16-le", "utf-32", "cp437"])
    return end.join(lines).encode(encoding, "replace")


WAYS: tuple[Callable[[random.Random], bytes], ...] = (workbook, workbook, text)
