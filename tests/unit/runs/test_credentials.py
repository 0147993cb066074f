"""The hand-over file: every phone once, for its reader alone, and nothing lost or overwritten."""

from __future__ import annotations

import os
import traceback
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
    submit_plan,
)
from tests.support.factories import APP, group, many_orders, orders_frame

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
    ledger.close()
    passwords = [password.encode() for password in sandbox.phones["password"]]
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "phones.xlsx"]
    assert len(written) >= 8
    shown = (repr(run) + run._repr_html_() + str(client.list_phones(APP))).encode()
    for password in passwords:
        assert password not in shown
        assert not [path for path in written if password in path.read_bytes()]


def test_the_run_names_the_hand_over_as_the_next_step(run: Run, client: Client, ledger: Ledger) -> None:
    """In the very words that do it; nothing created, nothing to hand over."""
    for shown in (repr(run), unescape(run._repr_html_())):
        assert 'Next: hand the phones over, ws.hand_over(run, "results")' in shown
    again = submit_plan(make_plan(read_orders(many_orders(1)), client, ledger).first(1), client, ledger)
    assert "Next" in repr(again.wait())
    nothing = submit_plan(make_plan(many_orders(1), client, ledger), client, ledger).wait()
    assert "Next" not in repr(nothing) + nothing._repr_html_()


def test_a_run_is_handed_over_in_a_file_for_each_application(run: Run, client: Client) -> None:
    """None is ever overwritten; how many phones each has is what a cell shows."""
    files = hand_over(client, run, "results")
    assert {app_id: path.name for app_id, path in files.items()} == {
        "4luaKsL2": f"{run.name}-4luaKsL2-phones.xlsx",
        "other": f"{run.name}-other-phones.xlsx",
    }
    assert {app_id: len(READERS["phones.xlsx"](path)) for app_id, path in files.items()} == files.rows
    assert repr(files) == "2 files in results/ with 63 phones: 4luaKsL2 60, other 3."
    again = hand_over(client, run, "results")
    assert not set(again.values()) & set(files.values())
    with pytest.raises(InputError, match="choose another name or folder"):
        hand_over(client, run, files["other"])


def test_a_run_that_created_nothing_has_nothing_to_hand_over(client: Client, ledger: Ledger) -> None:
    """No file, and words."""
    client.create_phones(group("there", "phone"))
    run = submit_plan(make_plan(orders_frame(("there", "phone")), client, ledger), client, ledger).wait()
    assert repr(hand_over(client, run, "results")) == "No files were written."
    assert list(Path("results").iterdir()) == []
