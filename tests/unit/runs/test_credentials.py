"""The hand-over file: every phone once, for its reader alone, and nothing lost or overwritten."""

from __future__ import annotations

import os
import threading
import traceback
import zipfile
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from itnio_nb import (
    Client,
    InputError,
    Ledger,
    Run,
    Sandbox,
    ServiceError,
    export_credentials,
    hand_over,
    make_plan,
    read_orders,
    reset_passwords,
    submit_plan,
)
from itnio_nb.runs.credentials.hand_over import _stems
from tests.support.factories import APP, group, many_orders, orders_frame
from tests.support.ledgers import contents

COLUMNS = ["groupName", "phoneName", "account", "password", "displayNum", "appId"]
READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    "phones.csv": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False),
    "phones.xlsx": lambda path: pd.read_excel(path, dtype=str, keep_default_na=False, engine="calamine"),
}


@pytest.fixture
def run(client: Client, ledger: Ledger) -> Run:
    """Two groups created, one that existed, one of another application."""
    client.create_phones(group("there", "phone"))
    orders = orders_frame(
        ("hotline", "hotln", "60", "0861000000"), ("there", "phone"), ("sales", "desk", "3", "861000000", "other")
    )
    return submit_plan(make_plan(orders, client, ledger), client, ledger).wait()


def handed_over(client: Client, groups: Any, path: Path, app_id: str = APP) -> pd.DataFrame:
    return READERS[f"phones{path.suffix}"](export_credentials(client, app_id, groups, path))


def test_each_phone_of_each_created_group_once(run: Run, client: Client, sandbox: Sandbox) -> None:
    """Account and password as the account has them, leading zeros included; what existed is not handed over.

    Its owner alone reads it, whatever the umask.
    """
    theirs = sandbox.phones.query(f"appId == {APP!r} and groupName != 'there'").sort_values("account")
    for path in map(Path, READERS):
        before = os.umask(0)
        try:
            phones = handed_over(client, run.table, path)
        finally:
            os.umask(before)
        assert path.stat().st_mode & 0o777 == 0o600
        assert phones.columns.tolist() == COLUMNS
        assert phones.sort_values("account").to_numpy().tolist() == theirs.to_numpy().tolist()
        assert phones["displayNum"].eq("0861000000").all()
        assert len(phones) == 60


def test_groups_by_name_and_by_what_was_asked_for(run: Run, client: Client, ledger: Ledger) -> None:
    """Names, one name, phone groups, a series, the ledger's table: also for what existed before."""
    series, table = run.table["groupName"][:2], pd.DataFrame({"groupName": ["there"]})
    groups = (["there", "hotline"], "there", [group("there", "phone")], series, table)
    sizes = [len(handed_over(client, one, Path(f"{at}.csv"))) for at, one in enumerate(groups)]
    assert sizes == [53, 3, 3, 60, 3]
    assert len(handed_over(client, ledger, Path("ledger.csv"), "other")) == 3


def test_nothing_is_overwritten(run: Run, client: Client, sandbox: Sandbox) -> None:
    """A file, an empty file, a dangling link: refused before the account is asked, and left as it is."""
    Path("phones.csv").write_text("mine")
    Path("empty.csv").write_text("")
    Path("link.csv").symlink_to("nowhere.csv")
    asked = sandbox.served["sipQuery", "0"]
    for name in ("phones.csv", "empty.csv", "link.csv"):
        with pytest.raises(InputError, match=f"{name} exists already.*choose another name"):
            export_credentials(client, APP, run.table, name)
    assert Path("phones.csv").read_text() == "mine"
    assert not Path("nowhere.csv").exists()
    assert sandbox.served["sipQuery", "0"] == asked


def test_a_name_that_is_none_is_an_input_error(client: Client, sandbox: Sandbox) -> None:
    """Before the account is asked."""
    names: list[Any] = ["", ".", "nul\0byte.csv", None, 5]
    for name in names:
        with pytest.raises(InputError, match=r"hand-over file"):
            export_credentials(client, APP, ["sales"], name)
    assert not sandbox.served


def shown_with_variables(error: BaseException) -> str:
    """What tools that show the variables of a traceback would show."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def test_no_traceback_shows_a_password(client: Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong once they are read: a phone lacking, a full disk, a listing that breaks off, Ctrl-C."""
    for at in range(5):
        client.create_phones(group(f"group-{at}", f"phone-{at}", 50))
    passwords = sandbox.phones["password"].tolist()

    def failing(groups: Any) -> BaseException:
        with pytest.raises(BaseException) as raised:  # noqa: PT011 - any of them
            export_credentials(client, APP, groups, "phones.csv")
        assert not Path("phones.csv").exists()
        return raised.value

    errors = [failing(["group-1", "nonsense"])]
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        errors.append(failing(["group-1"]))
        assert "No space left on device" in str(errors[-1])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        assert isinstance(failing(["group-1"]), KeyboardInterrupt)
    sandbox.faults = "query:none*2,query:500-before*6"
    errors.append(failing(["group-1"]))
    for number in range(1, 51):
        sandbox.edit_phone(APP, f"phone-4-{number}", password="")
    errors.append(failing(["group-4"]))
    assert [type(error).__name__ for error in errors] == ["InputError", "InputError", "ServiceError", "ServiceError"]
    for error in errors:
        shown = shown_with_variables(error)
        assert not [password for password in passwords if password in shown]


def test_what_cannot_be_handed_over_is_an_input_error(run: Run, client: Client) -> None:
    """Nothing created, no names, a wrong name, a group that lacks phones, a wrong ending: nothing is written."""
    nobody = run.table[run.table["groupName"] == "there"]
    cases: list[tuple[Any, str, str]] = [
        (nobody, "a.csv", "No group of application 4luaKsL2 was created here"),
        (run.table.iloc[:0], "a.csv", "No group of application"),
        ([], "a.csv", "No group was named"),
        (run, "a.csv", "give run.table"),
        (pd.DataFrame({"name": ["there"]}), "a.csv", "no column groupName"),
        (["there", "nonsense"], "a.csv", r"1 group lacks phones: 'nonsense' \(not there\)"),
        (run.table.assign(quantity="many"), "a.csv", "holds something that is no whole number"),
        ([group("there", "phone", 4)], "a.csv", r"1 group lacks phones: 'there' \(3 of 4\)"),
        ([f"none-{at}" for at in range(7)], "a.csv", r"7 groups lack phones: .*'none-4' \(not there\) and 2 more"),
        (["there"], "phones", "name it .xlsx or .csv"),
        (["there"], "phones.xls", "name it .xlsx or .csv"),
        (["there"], "no/folder.csv", "cannot be written to no/folder.csv .*choose another name or folder"),
    ]
    for groups, name, words in cases:
        with pytest.raises(InputError, match=words):
            export_credentials(client, APP, groups, name)
    assert not list(Path().glob("*.csv"))


def test_a_password_like_a_formula_goes_to_xlsx_alone(client: Client, sandbox: Sandbox) -> None:
    """In CSV it would run or be altered: refused, with the way out. A group's name is guarded, so that it never runs.

    A server that hides passwords is a `ServiceError`: a file without them would help nobody.
    """
    name = "=cmd|' /C calc'"
    client.create_phones(group(name, "desk", 1))
    path = export_credentials(client, APP, [name], "guarded.csv")
    assert "\"'=cmd|' /C calc'\"" in path.read_text(encoding="utf-8-sig")
    for at, password in enumerate(["=1+1", "-x1", "@sum", "+a", "\tx"]):
        sandbox.edit_phone(APP, "desk-1", password=password)
        with pytest.raises(InputError, match=r"password of 1 phone would run as a formula.*ends in \.xlsx"):
            export_credentials(client, APP, [name], "phones.csv")
        phone = handed_over(client, [name], Path(f"{at}.xlsx")).iloc[0]
        assert phone[["groupName", "password"]].tolist() == [name, password]
    sandbox.edit_phone(APP, "desk-1", password="")
    with pytest.raises(ServiceError, match="did not show account and password of 1 phone"):
        export_credentials(client, APP, [name], "phones.csv")
    assert not Path("phones.csv").exists()


def test_no_password_is_anywhere_else(client: Client, ledger: Ledger, sandbox: Sandbox, tmp_path: Path) -> None:
    """Not in ledger, result files, plan or what is shown; not in a temporary file either."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    plan = make_plan(many_orders(3), client, ledger)
    plan.save("plan.json")
    run = submit_plan(plan, client, ledger).wait()
    run.write_results("results")
    export_credentials(client, APP, run.table, "phones.xlsx")
    kept = contents(ledger)
    ledger.close()
    passwords = [password.encode() for password in sandbox.phones["password"]]
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "phones.xlsx"]
    assert len(written) >= 8 - ledger.is_shared
    shown = (repr(run) + run._repr_html_() + str(client.list_phones(APP))).encode()
    for password in passwords:
        assert password not in shown + kept
        assert not [path for path in written if password in path.read_bytes()]


def test_the_run_names_the_hand_over_as_the_next_step(run: Run, client: Client, ledger: Ledger) -> None:
    """In the very words that do it; nothing created, nothing to hand over."""
    for shown in (repr(run), unescape(run._repr_html_())):
        assert 'Next: hand the phones over, ws.hand_over(run, "results")' in shown
    again = submit_plan(make_plan(read_orders(many_orders(1)), client, ledger).first(1), client, ledger)
    assert "Next" in repr(again.wait())
    nothing = submit_plan(make_plan(many_orders(1), client, ledger), client, ledger).wait()
    assert "Next" not in repr(nothing) + nothing._repr_html_()


def in_zip(path: Path) -> dict[str, pd.DataFrame]:
    """The tables of a ZIP, by their names in it; the readers take a file object for a path."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: READERS["phones.xlsx"](archive.open(name)) for name in archive.namelist()}  # type: ignore[arg-type]


def test_a_run_is_handed_over_in_one_file(run: Run, client: Client) -> None:
    """A table for each application in one ZIP, or one table; how many phones each has is what a cell shows."""
    files = hand_over(client, run, "results")
    [path] = set(files.values())
    assert (path.name, path.is_absolute(), path.stat().st_mode & 0o777) == (f"{run.name}-phones.zip", True, 0o600)
    tables = in_zip(path)
    assert {name: len(table) for name, table in tables.items()} == {"4luaKsL2-phones.xlsx": 60, "other-phones.xlsx": 3}
    assert files.rows == {"4luaKsL2": 60, "other": 3}
    assert repr(files) == "1 file in results/ with 63 phones: 4luaKsL2 60, other 3."
    [table] = {*hand_over(client, run, "results", one_table=True).values()}
    assert table.name == f"{run.name}-phones.xlsx"
    assert pd.concat(tables.values(), ignore_index=True).equals(READERS["phones.xlsx"](table))
    with pytest.raises(InputError, match="choose another name or folder"):
        hand_over(client, run, path)


def test_a_run_is_handed_over_once(run: Run, client: Client, ledger: Ledger, sandbox: Sandbox) -> None:
    """Asked again, by this run or one that created nothing, the file that is there is named; unless phones changed."""
    path = hand_over(client, run, "results")["other"]
    sent = sandbox.served.total()
    again = hand_over(client, run, "results")
    assert (again["other"], again.is_new, sandbox.served.total()) == (path, False, sent)
    assert repr(again).startswith("Nothing was written: 63 phones, before, to 1 file in results/")
    orders = orders_frame(("hotline", "hotln", "60", "0861000000"), ("sales", "desk", "3", "861000000", "other"))
    later = submit_plan(make_plan(orders, client, ledger), client, ledger).wait()
    assert hand_over(client, later, "results")["other"] == path
    asked = hand_over(client, run, "results", again=True)["other"]
    assert asked.name == f"{path.stem}-2.zip"
    asked.unlink()
    reset_passwords(client, ledger, "other", ["sales"]).wait()
    changed = hand_over(client, run, "results")["other"]
    assert changed.name == f"{path.stem}-2.zip"
    theirs = sandbox.phones.query("appId == 'other'")["password"]
    assert in_zip(changed)["other-phones.xlsx"]["password"].tolist() == theirs.tolist()


def test_an_application_that_fails_keeps_no_other(run: Run, client: Client, sandbox: Sandbox) -> None:
    """Its error is raised once the others are in the file, and says where; tried again, there is no second one."""
    sandbox.delete_group("other", "sales")
    for one_table in (False, True, False):
        with pytest.raises(InputError, match=r"^Not all was handed over: in application other 1 group lacks") as raised:
            hand_over(client, run, "results", one_table=one_table)
    path = Path("results").absolute() / f"{run.name}-phones.zip"
    assert f"The phones of 1 other application are in {path}." in str(raised.value)
    assert [*in_zip(path)] == ["4luaKsL2-phones.xlsx"]
    assert sorted(one.suffix for one in Path("results").iterdir()) == [".xlsx", ".zip"]
    client.create_phones(group("sales", "desk", 3, "other"))
    whole = hand_over(client, run, "results")["other"]
    assert (whole.name, [*in_zip(whole)]) == (f"{run.name}-phones-2.zip", ["4luaKsL2-phones.xlsx", "other-phones.xlsx"])
    assert len(READERS["phones.xlsx"](hand_over(client, run, "results", one_table=True)["other"])) == 63
    sandbox.delete_group("other", "sales")
    with pytest.raises(InputError, match=r"^Nothing was written: in application other 1 group lacks"):
        export_credentials(client, "other", ["sales"], "phones.xlsx")
    assert not Path("phones.xlsx").exists()


def test_before_is_said_of_the_very_phones_alone(client: Client, ledger: Ledger, sandbox: Sandbox) -> None:
    """Not of a part of them, of another part, of a file that is empty or broken, nor after a copy that looks newer."""
    sandbox.faults = "none,none,-2-before"
    run = submit_plan(make_plan(many_orders(4), client, ledger), client, ledger, workers=1).wait()
    part = hand_over(client, run, "results")[APP]
    assert len(READERS["phones.xlsx"](part)) == 6
    assert submit_plan(make_plan(many_orders(4)), client, ledger).wait().counts == {"created": 4}
    fewer = submit_plan(make_plan(many_orders(1), client, ledger), client, ledger).wait()
    assert len(READERS["phones.xlsx"](hand_over(client, fewer, "results")[APP])) == 3
    run = submit_plan(make_plan(many_orders(4), client, ledger), client, ledger).wait()
    whole = hand_over(client, run, "results")
    assert (whole.is_new, len(READERS["phones.xlsx"](whole[APP]))) == (True, 12)
    assert hand_over(client, run, "results")[APP] == whole[APP]
    whole[APP].write_bytes(b"")
    assert hand_over(client, run, "results").is_new
    path = hand_over(client, run, "results")[APP]
    reset_passwords(client, ledger, APP, ["group-0"]).wait()
    os.utime(path)  # saved anew, copied, restored: its time says nothing
    new = hand_over(client, run, "results")
    assert (new.is_new, hand_over(client, run, "results")[APP]) == (True, new[APP])
    passwords = READERS["phones.xlsx"](new[APP])["password"].tolist()
    assert sorted(passwords) == sorted(sandbox.phones["password"])


def test_a_hand_over_that_is_cut_off_leaves_nothing(run: Run, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has its name once it is whole; one that appears meanwhile stays, and is named."""
    listing = client.list_phones

    def cut_off(*args: Any, **options: Any) -> pd.DataFrame:
        assert [path.name[:1] for path in Path("results").iterdir()] == ["."]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(client, "list_phones", cut_off)
        with pytest.raises(KeyboardInterrupt):
            hand_over(client, run, "results")
    assert list(Path("results").iterdir()) == []

    def overtaken(*args: Any, **options: Any) -> pd.DataFrame:
        Path("mine.xlsx").write_text("mine")
        return listing(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(client, "list_phones", overtaken)
        with pytest.raises(InputError, match=r"mine\.xlsx exists already"):
            export_credentials(client, APP, ["hotline"], "mine.xlsx")
    assert Path("mine.xlsx").read_text() == "mine"
    assert not list(Path().glob(".*.tmp"))


def test_no_two_applications_share_a_name() -> None:
    """Whatever their ids have in them, and on file systems that know no case; nor is a name too long for one."""
    ids = ["a_b-3", "a.b", "a_b", "A_B", "x-3", "x", "X", "q" * 300, "q" * 301, "../../etc", "con"]
    stems = [*_stems(ids).values()]
    assert len({stem.casefold() for stem in stems}) == len(ids)
    assert all(len(stem) < 90 and "/" not in stem and "." not in stem for stem in stems)


def test_the_colleagues_own_columns_stand_beside_the_phones(client: Client, ledger: Ledger, tmp_path: Path) -> None:
    """In their order, under their headers, for each phone of an order, in the order of the file; a header of ours too.

    A group of two parts has its order's cells twice; result columns of a file of before are none of theirs.
    """
    rows = [
        ["Desk", "Name of group", "phoneName", "quantity", "Number", "App", "Password", "account", "@x", "itnio_row"]
    ]
    rows += [["4.07", "zulu", "zuluu", "60", "8610850001", APP, "none", "acc-1", "@sum(1)", "2"]]
    rows += [["", "alpha", "alphaa", "2", "8610850002", APP, "", "acc-2", "-", "3"]]
    pd.DataFrame(rows).to_excel(tmp_path / "orders.xlsx", index=False, header=False, engine="xlsxwriter")
    match = {"groupName": "Name of group", "displayNum": "Number", "appId": "App"}
    orders = read_orders(tmp_path / "orders.xlsx", match=match)
    run = submit_plan(make_plan(orders, client, ledger), client, ledger).wait()
    table = READERS["phones.xlsx"](hand_over(client, run, "results")[APP])
    assert table.columns.tolist() == [*COLUMNS, "Desk", "Password (orders)", "account (orders)", "@x"]
    assert table["groupName"].tolist() == ["zulu"] * 50 + ["zulu_2"] * 10 + ["alpha"] * 2
    assert table["Desk"].tolist() == ["4.07"] * 60 + [""] * 2
    assert table.iloc[-1, 6:].tolist() == ["", "", "acc-2", "-"]


def test_a_run_that_created_nothing_has_nothing_to_hand_over(client: Client, ledger: Ledger) -> None:
    """No file, and words."""
    client.create_phones(group("there", "phone"))
    run = submit_plan(make_plan(orders_frame(("there", "phone")), client, ledger), client, ledger).wait()
    assert repr(hand_over(client, run, "results")) == "No files were written."
    assert not Path("results").exists()


def test_progress_is_told_in_place_of_a_bar(
    run: Run, client: Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """For each application once it is listed, in the caller's thread, one that fails too; without it a bar is shown."""
    told: list[tuple[int, int, threading.Thread]] = []
    monkeypatch.setenv("ITNIO_PROGRESS", "text")

    def tell(done: int, total: int) -> None:
        told.append((done, total, threading.current_thread()))

    hand_over(client, run, "results", on_progress=tell)
    assert told == [(1, 2, threading.current_thread()), (2, 2, threading.current_thread())]
    assert capfd.readouterr().err == ""
    hand_over(client, run, "results", on_progress=tell)  # it is there: nothing is listed
    assert len(told) == 2
    hand_over(client, run, "results", again=True)
    assert "Hand over: 100%" in capfd.readouterr().err
