"""How orders come in: from the page in parts, by sheet, with columns that are matched and remembered; never unasked."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import BatchForm, Client, Ledger, make_plan
from itnio_nb.forms.batch.input.columns.choice import ColumnChoice
from itnio_nb.forms.batch.input.columns.matching import ONE_VALUE
from itnio_nb.forms.batch.input.columns.memory import ColumnMemory
from itnio_nb.forms.batch.input.orders_input import OrdersInput
from itnio_nb.orders.rules.accepted import Accepted
from tests.support.factories import APP, COLUMNS, many_orders
from tests.support.forms import HOSTILE, Batch, assert_form_harmless, click, downloads_of, status, text_of
from tests.support.forms import wait_for_poll as wait

FOREIGN = {"phoneName": "Handset prefix", "quantity": "Anzahl", "displayNum": "Rufnummer"}


def foreign(number: int = 3, headers: Mapping[str, str] = FOREIGN) -> bytes:
    """Orders with headers of somebody else."""
    return many_orders(number).rename(columns=headers).to_csv(index=False).encode()


def names(batch: Batch) -> list[str]:
    shown: list[str] = batch.form.orders.orders["groupName"].tolist()
    return shown


def question(batch: Batch) -> str:
    return text_of(batch.form.orders.question.text)


def note(batch: Batch) -> str:
    return text_of(batch.form.orders.file.ways.note)


def from_page(batch: Batch, kind: str, name: str = "", **rest: object) -> None:
    """Tell what a page tells of what was dropped, pasted or chosen."""
    message = {"kind": kind, "name": name, **rest}
    batch.form.browser._handle_custom_msg(message, [])
    wait(batch.form)


def drop(batch: Batch, name: str, data: bytes, size: int = 100) -> None:
    """Give a file in parts, as the page does."""
    parts = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
    for at, part in enumerate(parts):
        message = {"kind": "file", "name": name, "file": name, "part": at, "parts": len(parts)}
        batch.form.browser._handle_custom_msg(message, [memoryview(part)])
    wait(batch.form)


# From the page.


def test_a_file_comes_in_parts(batch: Batch) -> None:
    """Each is told to have arrived; one that is given meanwhile takes the place of what is not whole yet."""
    told: list[object] = []
    batch.form.browser.send = lambda content, buffers=None: told.append(content)
    data = many_orders(40).to_csv(index=False).encode()
    drop(batch, "phones.csv", data)
    assert len(names(batch)) == 40
    assert text_of(batch.form.orders.source).startswith("phones.csv: CSV")
    assert told == [{"arrived": at, "file": "phones.csv"} for at in range(-(-len(data) // 100))]
    first, second = data[:300], data[300:]
    for name, part, part_data in (("a", 0, b"x"), ("b", 0, first), ("a", 1, b"x"), ("b", 1, second), ("b", 1, second)):
        message = {"kind": "file", "name": f"{name}.csv", "file": name, "part": part, "parts": 2}
        batch.form.browser._handle_custom_msg(message, [part_data])
    wait(batch.form)
    assert len(names(batch)) == 40
    assert text_of(batch.form.orders.source).startswith("b.csv: CSV")
    drop(batch, "empty.csv", b"")
    assert "empty.csv is empty" in status(batch.form)


REFUSED = [
    (("several", "3"), {}, "3 files were dropped, and none was read: drop one file at a time."),
    (("folder", "phones"), {}, "phones is a folder, and nothing was read"),
    (
        ("address", "https://example.com/x.xlsx"),
        {},
        "An address was dropped, and nothing was read (https://example.com",
    ),
    (("words", "hello"), {}, "A text without rows was dropped, and nothing was read (hello)"),
    (("unreadable", "phones.xlsx"), {}, "The browser cannot read phones.xlsx"),
    (("large", "big.csv"), {"text": "241172480"}, "big.csv has 230 MB, and a file of up to 100 MB is read here: "),
    (("nothing", ""), {}, "What was dropped has nothing that can be read"),
    (("text", ""), {"text": "groupName\tphoneName"}, "Paste a row of headers and at least one order below it."),
    (("text", ""), {"text": "hello"}, "Paste a row of headers and at least one order below it."),
]


@pytest.mark.parametrize(("given", "rest", "words"), REFUSED)
def test_what_is_not_read_is_said(given: tuple[str, str], rest: dict[str, str], words: str, batch: Batch) -> None:
    """In a sentence, with what to do; the orders stay."""
    batch.paste(many_orders(2))
    from_page(batch, *given, **rest)
    assert status(batch.form).startswith(f"Error: {words}")
    assert len(names(batch)) == 2


@pytest.mark.parametrize("text", HOSTILE)
def test_names_from_the_page_are_text(text: str, batch: Batch) -> None:
    """Whatever a file, a folder or a sheet is called."""
    for kind in ("folder", "words", "unreadable"):
        from_page(batch, kind, text)
        assert_form_harmless(batch.form)
    drop(batch, f"{text}.csv", foreign(headers={**FOREIGN, "groupName": text or "x"}))
    assert_form_harmless(batch.form)
    if batch.form.orders.file.matcher.is_open:  # no file has a header with a NUL character
        click(batch.form, batch.form.orders.file.matcher.cancel)
    drop(batch, f"{text}.csv", many_orders(1).to_csv(index=False).encode())
    batch.form.orders.edited = True
    drop(batch, f"{text}.csv", many_orders(1).to_csv(index=False).encode())
    assert batch.form.orders.question.is_open
    assert_form_harmless(batch.form)


def test_what_is_dropped_shows_the_first_step(batch: Batch) -> None:
    """Wherever one is; and while something else is done, it is read after that."""
    batch.plan(many_orders(2))
    assert batch.step == "2 Plan"
    batch.form.plan_it.click()  # and at once:
    drop(batch, "phones.csv", many_orders(3).to_csv(index=False).encode())
    assert (batch.step, len(names(batch))) == ("1 Orders", 3)


def test_rows_are_pasted_on_the_empty_area(batch: Batch) -> None:
    """With headers; and without, where it is said, and each column is matched by its place."""
    from_page(batch, "text", text=many_orders(2).to_csv(sep="\t", index=False))
    assert len(names(batch)) == 2
    from_page(batch, "text", text=many_orders(3).to_csv(sep="\t", index=False, header=False))
    form = batch.form.orders
    assert "pasted text has no row of headers: row 1 is an order already." in status(batch.form)
    assert len(names(batch)) == 2
    assert list(form.columns) == COLUMNS
    assert form.columns["groupName"].value == "column 1"
    assert text_of(form.file.matcher.missing["quantity"].cells) == "Its first cells: 3, 3, 3"
    click(batch.form, form.read_matched)
    assert len(names(batch)) == 3
    assert form.orders.index.tolist() == [1, 2, 3]
    one_row = many_orders(1).to_csv(sep="\t", index=False, header=False).strip()
    from_page(batch, "text", text=one_row)
    click(batch.form, form.read_matched)
    assert names(batch) == ["group-0"]


def test_the_area_invites_until_there_are_orders(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is one line; the template is there to be downloaded, and can be read."""
    ways, form = batch.form.orders.file.ways, batch.form
    files = downloads_of(form, monkeypatch)
    assert "itnio-empty" in ways.line._dom_classes
    assert (ways.upload.description, ways.upload.button_style) == ("Upload a file", "primary")
    assert ways.others.layout.display == "none"
    ways.more.click()
    assert ways.others.layout.display is None
    ways.more.click()
    assert ways.others.layout.display == "none"
    click(form, ways.template)
    batch.upload("phones.xlsx", files["phones-template.xlsx"])
    assert names(batch) == ["example-group"]
    assert "itnio-empty" not in ways.line._dom_classes
    assert (ways.upload.description, ways.upload.button_style) == ("Another file", "")
    click(form, form.result.new)
    assert "itnio-empty" in ways.line._dom_classes


# Sheets.


def book(**sheets: pd.DataFrame) -> bytes:
    data = io.BytesIO()
    with pd.ExcelWriter(data, engine="xlsxwriter") as made:
        for name, frame in sheets.items():
            frame.to_excel(made, sheet_name=name, index=False)
    return data.getvalue()


def test_a_sheet_is_chosen(batch: Batch) -> None:
    """Where there are several; the one that was read is selected, and another is read at once."""
    form, sheet = batch.form.orders, batch.form.orders.sheet
    batch.upload("phones.xlsx", book(June=many_orders(2), July=many_orders(3)))
    assert (sheet.options, sheet.value, len(names(batch))) == (("June", "July"), "June", 2)
    assert sheet.layout.display is None
    sheet.value = "July"
    wait(batch.form)
    assert (len(names(batch)), sheet.value) == (3, "July")
    assert "XLSX (sheet July)" in text_of(form.source)
    for other in (book(Only=many_orders(1)), many_orders(1).to_csv(index=False).encode()):
        batch.upload("other", other)
        assert sheet.options == ()
        assert sheet.layout.display == "none"


def test_a_sheet_whose_columns_are_not_known(batch: Batch) -> None:
    """It is matched; where it is left, the sheet that the orders are from is selected again."""
    form, sheet = batch.form.orders, batch.form.orders.sheet
    lacking = many_orders(4).drop(columns="appId")
    batch.upload("phones.xlsx", book(June=many_orders(2), August=lacking, Empty=pd.DataFrame()))
    sheet.value = "August"
    wait(batch.form)
    assert "sheet August of June, August, Empty has no column for appId" in status(batch.form)
    assert (list(form.columns), sheet.value, len(names(batch))) == (["appId"], "August", 2)
    click(batch.form, form.file.matcher.cancel)
    assert (form.columns, sheet.value) == ({}, "June")
    sheet.value = "August"
    wait(batch.form)
    form.columns["appId"].value = ONE_VALUE
    form.file.matcher.missing["appId"].value.value = APP
    click(batch.form, form.read_matched)
    assert (len(names(batch)), form.valid, sheet.value) == (4, 4, "August")
    sheet.value = "Empty"
    wait(batch.form)
    assert status(batch.form).startswith("Error: ")
    assert (len(names(batch)), sheet.value) == (4, "August")


def test_the_file_stays_that_of_the_orders(batch: Batch) -> None:
    """Edited, undone, or with warnings that were accepted; undone to those of another file, or anew, none is shown."""
    form, sheet = batch.form.orders, batch.form.orders.sheet
    batch.paste(many_orders(1))
    batch.upload("phones.xlsx", book(June=many_orders(2), July=many_orders(3)))
    form._accept_warnings(Accepted().add(form.findings))
    assert sheet.value == "June"
    batch.type(2, "quantity", "7")
    assert sheet.value == "June"
    click(batch.form, form.undo)
    assert (sheet.value, form.edited) == ("June", False)
    click(batch.form, form.undo)
    assert (sheet.value, len(names(batch))) == (None, 1)
    click(batch.form, form.redo)
    assert len(names(batch)) == 2
    batch.upload("phones.xlsx", book(June=many_orders(2), July=many_orders(3)))
    click(batch.form, batch.form.result.new)
    assert (sheet.options, form.file.ways.has_columns) == ((), False)


# Columns.


def test_columns_are_matched_with_a_value_for_all(batch: Batch) -> None:
    """In place of a header; the cells follow the choice; what was recognised can be changed too."""
    form, matcher = batch.form.orders, batch.form.orders.file.matcher
    table = many_orders(3).rename(columns=FOREIGN).drop(columns="appId").assign(Team=["a-team", "b-team", "c-team"])
    batch.upload("phones.csv", table.to_csv(index=False).encode())
    assert {name: one.value for name, one in form.columns.items()} == {**FOREIGN, "appId": ""}
    assert list(matcher.recognised) == ["groupName"]
    assert matcher.recognised["groupName"].header.value == "groupName"
    line = matcher.missing["phoneName"]
    assert text_of(line.cells) == "Its first cells: phone-0, phone-1, phone-2"
    line.header.value = "Team"
    assert text_of(line.cells) == "Its first cells: a-team, b-team, c-team"
    line.header.value = "Handset prefix"
    click(batch.form, form.read_matched)
    assert "There is no column for appId yet" in status(batch.form)
    form.columns["appId"].value = ONE_VALUE
    click(batch.form, form.read_matched)
    assert "There is no column for appId yet" in status(batch.form)
    matcher.missing["appId"].value.value = f" {APP} "
    matcher.recognised["groupName"].header.value = "Handset prefix"
    click(batch.form, form.read_matched)
    assert "'Handset prefix' is chosen for phoneName and for groupName" in status(batch.form)
    matcher.recognised["groupName"].header.value = "Team"
    click(batch.form, form.read_matched)
    assert names(batch) == ["a-team", "b-team", "c-team"]
    assert form.orders["appId"].tolist() == [APP] * 3
    assert form.orders["groupName (another)"].tolist() == ["group-0", "group-1", "group-2"]
    assert (form.columns, form.matching.children) == ({}, ())
    assert note(batch).startswith("Columns as chosen: Handset prefix → phoneName, Anzahl → quantity")


def test_recognised_columns_are_changed(batch: Batch) -> None:
    """After the file was read, too, for another header, or for a value in all rows."""
    form, matcher = batch.form.orders, batch.form.orders.file.matcher
    table = many_orders(2).assign(Team=["north-team", "south-team"])
    batch.upload("phones.csv", table.to_csv(index=False).encode())
    assert (note(batch), matcher.is_open) == ("", False)
    click(batch.form, form.file.ways.columns)
    assert (form.columns, list(matcher.recognised)) == ({}, COLUMNS)
    matcher.recognised["groupName"].header.value = "Team"
    matcher.recognised["quantity"].header.value = ONE_VALUE
    matcher.recognised["quantity"].value.value = "7"
    click(batch.form, form.read_matched)
    assert names(batch) == ["north-team", "south-team"]
    assert form.orders["quantity"].tolist() == ["7", "7"]
    assert note(batch) == "Columns as chosen: Team → groupName, quantity '7' in all rows."
    click(batch.form, form.file.ways.columns)
    assert matcher.recognised["groupName"].header.value == "Team"
    assert matcher.recognised["quantity"].value.value == "7"
    matcher.recognised["groupName"].header.value = "groupName"
    matcher.recognised["quantity"].header.value = "quantity"
    click(batch.form, form.read_matched)
    assert (names(batch), note(batch)) == (["group-0", "group-1"], "")


def test_the_row_of_headers_is_chosen(batch: Batch) -> None:
    """Where a title looks like one; 0 where there is none, and then places are matched."""
    form, matcher = batch.form.orders, batch.form.orders.file.matcher
    title = b"Phones,for,June,of,us\n"
    batch.upload("phones.csv", title + foreign(headers=dict(zip(COLUMNS, "abcde", strict=True))))
    assert matcher.row.value == 1
    matcher.row.value = 2
    wait(batch.form)
    assert form.columns["quantity"].value == "c"
    matcher.row.value = 99
    wait(batch.form)
    assert "has nothing in row 99" in status(batch.form)
    assert matcher.row.value == 2
    click(batch.form, form.read_matched)
    assert len(names(batch)) == 3
    batch.upload("phones.csv", title + foreign(headers=dict(zip(COLUMNS, "abcde", strict=True))))
    matcher.row.value = 0
    wait(batch.form)
    assert form.columns["groupName"].options[1] == ("column 1", "column 1")


# Files as they are, and the headers that are guessed for what is missing.
HEADERS = [
    ("Gruppe;Apparat;Anzahl;Rufnummer", {"groupName": "Gruppe", "phoneName": "Apparat", "quantity": "Anzahl"}),
    ("Team;Handset prefix;How many phones;Caller", {"groupName": "Team", "phoneName": "Handset prefix"}),
    ("Department;Device;Count;Outgoing number", {"groupName": "Department", "displayNum": "Outgoing number"}),
    ("grupo;extension;cantidad;numero", {"groupName": "grupo", "phoneName": "extension", "quantity": "cantidad"}),
    ("DEPT.;Telefon;Menge;CLI", {"groupName": "DEPT.", "phoneName": "Telefon", "displayNum": "CLI"}),
    ("Old team;Phones called;Pieces;Shown as", {"phoneName": "Phones called", "displayNum": "Shown as"}),
    ("Group of phones;Prefix of phones;Amount;Display", {"groupName": "Group of phones", "displayNum": "Display"}),
    ("a;b;c;d", {"quantity": "c", "displayNum": "d"}),
    ("Team\nname;Desk phone;Number of;Number shown", {"quantity": "Number of", "displayNum": "Number shown"}),
    ("Abteilung;Gerät;Stück;Anzeige", {"groupName": "Abteilung", "quantity": "Stück", "displayNum": "Anzeige"}),
]


@pytest.mark.parametrize(("headers", "guesses"), HEADERS)
def test_the_best_guess_is_chosen(headers: str, guesses: dict[str, str], batch: Batch) -> None:
    """By words that people use, among headers whose cells suit."""
    rows = [("north", "desk", "3", "8610850001"), ("south", "line", "4", "8610850002")]
    table = pd.DataFrame(rows, columns=headers.split(";")).assign(Note="-")
    batch.upload("phones.csv", table.to_csv(index=False).encode())
    fields = batch.form.orders.columns
    assert {name: fields[name].value for name in guesses if name in fields} == {
        name: header for name, header in guesses.items() if name in fields
    }
    assert set(guesses) & set(fields)


def test_one_of_two_columns_is_chosen(batch: Batch) -> None:
    """Where two headers mean the same."""
    table = many_orders(2).rename(columns={"groupName": "Group"}).assign(**{"Phone group": ["red-group", "blue-group"]})
    batch.upload("phones.csv", table.to_csv(index=False).encode())
    assert "more than one column for groupName" in status(batch.form)
    fields = batch.form.orders.columns
    assert {name: field.value for name, field in fields.items()} == {"groupName": "Group"}
    fields["groupName"].value = "Phone group"
    click(batch.form, batch.form.orders.read_matched)
    assert names(batch) == ["red-group", "blue-group"]


def test_columns_are_remembered(batch: Batch, client: Client, ledger: Ledger) -> None:
    """For the same headers, in whatever order and writing; it is said, and can be changed, also in another form.

    No cell of the file is kept, but a value for all rows: which is offered, and put into no other file unasked.
    """
    form = batch.form.orders
    table = many_orders(3).rename(columns=FOREIGN).drop(columns="appId")
    batch.upload("phones.csv", table.to_csv(index=False).encode())
    form.columns["appId"].value = ONE_VALUE
    form.file.matcher.missing["appId"].value.value = APP
    click(batch.form, form.read_matched)
    path = ledger.path.with_name("ledger.sqlite.columns.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = path.read_text()
    assert APP in kept
    assert not any(cell in kept for cell in ("group-0", "phone-0", "861000000"))
    renamed = table[table.columns[::-1]].rename(columns={"Anzahl": " ANZAHL:", "Handset prefix": "handset_prefix"})
    with closing(BatchForm(client, ledger)) as made:
        again = Batch(made)
        again.upload("july.csv", renamed.head(2).to_csv(index=False).encode())
        assert names(again) == []
        assert f"appId '{APP}' in all rows last time: read this one so too, or change it." in status(made)
        assert status(made).startswith("Warning: ")
        click(made, made.orders.read_matched)
        assert names(again) == ["group-0", "group-1"]
        assert status(made) == ""
        assert note(again).startswith("Columns as chosen: handset_prefix → phoneName, ANZAHL: → quantity")
        assert note(again).endswith(f"appId '{APP}' in all rows.")
        click(made, made.orders.file.ways.columns)
        made.orders.columns["quantity"].value = ONE_VALUE
        made.orders.file.matcher.missing["quantity"].value.value = "9"
        click(made, made.orders.read_matched)
        assert made.orders.orders["quantity"].tolist() == ["9", "9"]
    batch.upload("august.csv", table.to_csv(index=False).encode())
    click(batch.form, form.read_matched)
    assert form.orders["quantity"].tolist() == ["9"] * 3
    form.app_id.value = "another1"  # what is given for this file goes before what was chosen for the last one
    batch.upload("september.csv", table.to_csv(index=False).encode())
    click(batch.form, form.read_matched)
    assert set(form.orders["appId"]) == {"another1"}
    form.app_id.value = ""
    batch.upload("other.csv", table.assign(More="x").to_csv(index=False).encode())
    assert list(form.columns) == ["phoneName", "quantity", "displayNum", "appId"]


DAMAGED = ["", "{}", "[]", "null", '{"format": "itnio-nb columns", "version": 2, "choices": []}', "[" * 5000, "\xff"]
DAMAGED += ['{"format": "itnio-nb columns", "version": 1, "choices": [{"headers": "x", "match": {"a": 1}}]}']
DAMAGED += ['{"format": "itnio-nb columns", "version": 1, "choices": 7}']


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_memory_is_no_error(text: str, batch: Batch, ledger: Ledger) -> None:
    """Files are read as if nothing were remembered; it is said quietly, and the file is left alone."""
    path = ledger.path.with_name("ledger.sqlite.columns.json")
    path.write_text(text, encoding="utf-8")
    batch.upload("phones.csv", foreign())
    click(batch.form, batch.form.orders.read_matched)
    assert (len(names(batch)), status(batch.form)) == (3, "")
    assert "Columns are not remembered: " in note(batch)
    assert path.read_text(encoding="utf-8") == text


def test_a_memory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """Nothing is remembered, and it says why."""
    memory = ColumnMemory(tmp_path / "gone" / "columns.json")
    memory.keep(["a", "b"], ColumnChoice({"groupName": "a"}))
    assert "cannot be written" in memory.problem
    assert memory.find(["a", "b"]) is None


def test_the_oldest_choices_are_forgotten(tmp_path: Path) -> None:
    """The file does not grow without end; a choice of nothing is none."""
    memory = ColumnMemory(tmp_path / "columns.json")
    for number in range(303):
        memory.keep([f"header-{number}"], ColumnChoice({"groupName": f"header-{number}"}))
    memory.keep(["header-302"], ColumnChoice())
    assert len(json.loads(memory.path.read_text())["choices"]) == 299
    assert memory.find(["header-2"]) is None
    assert memory.find(["Header 3"]) == ColumnChoice({"groupName": "Header 3"})


# Nothing replaces edited orders unasked.


def test_orders_that_were_only_read_are_replaced(batch: Batch) -> None:
    """Without a question, by whatever it is."""
    batch.paste(many_orders(2))
    batch.paste(many_orders(3))
    drop(batch, "phones.csv", many_orders(4).to_csv(index=False).encode())
    click(batch.form, batch.form.result.new)
    assert (question(batch), names(batch)) == ("", [])


def replacements(tmp_path: Path) -> dict[str, object]:
    csv = many_orders(5).to_csv(index=False)
    (tmp_path / "five.csv").write_text(csv)
    make_plan(many_orders(6)).save(tmp_path / "plan.json")
    return {
        "five.csv (5 rows)": lambda batch: drop(batch, "five.csv", csv.encode()),
        "up.csv (5 rows)": lambda batch: batch.upload("up.csv", csv.encode()),
        "the pasted rows (5 rows)": lambda batch: from_page(batch, "text", text=csv),
        "the plan plan.json (6 rows)": lambda batch: batch.read(str(tmp_path / "plan.json")),
        "an empty batch": lambda batch: click(batch.form, batch.form.result.new),
    }


def test_edited_orders_are_replaced_only_after_a_question(batch: Batch, tmp_path: Path) -> None:
    """What was read is kept until it is answered; kept orders stay as they are, and may be edited meanwhile."""
    form: OrdersInput = batch.form.orders
    for by, replace in replacements(tmp_path).items():
        for answer, left in (("no", 2), ("yes", 0 if by == "an empty batch" else 6 if "plan" in by else 5)):
            batch.paste(many_orders(2))
            if form.question.is_open:
                click(batch.form, form.question.yes)
            batch.type(2, "quantity", "7")
            replace(batch)  # type: ignore[operator]
            assert question(batch) == f"Replace 2 edited orders by {by}?"
            assert len(names(batch)) == 2
            click(batch.form, getattr(form.question, answer))
            assert (len(names(batch)), question(batch)) == (left, ""), by
            assert status(batch.form) == ""
            click(batch.form, batch.form.steps[0])
    batch.paste(many_orders(2))
    assert not form.question.is_open


def test_a_question_tells_how_many_there_are_now(batch: Batch) -> None:
    """Rows that are deleted meanwhile are not counted; another file takes the place of the one that waits."""
    batch.paste(many_orders(3))
    batch.type(2, "quantity", "7")
    drop(batch, "one.csv", many_orders(5).to_csv(index=False).encode())
    batch.select(3)
    click(batch.form, batch.form.orders.delete)
    assert question(batch) == "Replace 2 edited orders by one.csv (5 rows)?"
    drop(batch, "two.csv", many_orders(1).to_csv(index=False).encode())
    assert question(batch) == "Replace 2 edited orders by two.csv (1 row)?"
    click(batch.form, batch.form.orders.question.yes)
    assert len(names(batch)) == 1
    assert not batch.form.orders.edited


def test_an_empty_row_is_no_edit(batch: Batch) -> None:
    """A row that was begun and left empty is replaced without a question; one that was typed into is not."""
    click(batch.form, batch.form.orders.add)
    batch.paste(many_orders(2))
    assert len(names(batch)) == 2
    click(batch.form, batch.form.result.new, batch.form.orders.add)
    (row,) = batch.form.orders.grid.rows
    batch.type(row, "groupName", "sales")
    batch.paste(many_orders(2))
    assert question(batch) == "Replace 1 edited order by the pasted rows (2 rows)?"


def test_a_sheet_that_is_not_read_is_not_selected(batch: Batch) -> None:
    """Where the edits are kept, the sheet is theirs again."""
    batch.upload("phones.xlsx", book(June=many_orders(2), July=many_orders(3)))
    batch.type(2, "quantity", "7")
    batch.form.orders.sheet.value = "July"
    wait(batch.form)
    assert question(batch) == "Replace 2 edited orders by phones.xlsx (3 rows)?"
    click(batch.form, batch.form.orders.question.no)
    assert (batch.form.orders.sheet.value, len(names(batch))) == ("June", 2)


def test_one_button_is_the_next(batch: Batch) -> None:
    """To upload, to read with the columns that were chosen, to plan."""
    form = batch.form.orders

    def main() -> list[str]:
        buttons = (form.upload, form.read_matched, batch.form.plan_it)
        return [button.description for button in buttons if button.button_style == "primary"]

    assert main() == ["Upload a file"]
    batch.upload("phones.csv", foreign())
    assert main() == ["Read with these columns"]
    click(batch.form, form.file.matcher.cancel)
    assert main() == ["Upload a file"]
    batch.upload("phones.csv", foreign())
    click(batch.form, form.read_matched)
    assert main() == ["Plan"]
