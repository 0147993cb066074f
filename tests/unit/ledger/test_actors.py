"""Who did what: operator, machine and version of each receipt, by run and in sum; names are only text."""

from __future__ import annotations

import os
import platform
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from itnio_nb import (
    Account,
    Client,
    Ledger,
    LedgerError,
    Sandbox,
    State,
    make_plan,
    reconcile,
    reset_passwords,
    submit_plan,
)
from itnio_nb.ledger.claims import Resolution
from itnio_nb.ledger.schema import actors as module
from itnio_nb.ledger.schema.actors import this_actor
from itnio_nb.ledger.schema.tables import actors, run_actors
from tests.support.factories import APP, many_orders, orders_frame
from tests.support.ledgers import ACCOUNT, claim, earlier_ledger, open_run, receipt, record

NAMES = ["created", "partial", "exists", "refused", "unknown", "receipts"]


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Be somebody else from now on, in this process."""
    return Become(monkeypatch)


class Become:
    """Sets who this process says that it works for."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def __call__(self, operator: str, machine: str = "ops1") -> None:
        self._patch.setenv("ITNIO_OPERATOR", operator)
        self._patch.setenv("ITNIO_MACHINE", machine)


def written(ledger: Ledger) -> list[list[str]]:
    cells: list[list[str]] = ledger.history[["operator", "machine"]].to_numpy().tolist()
    return cells


def test_two_operators_on_one_run(ledger: Ledger, ledger_place: str, become: Become) -> None:
    """Each receipt has its writer; the run has both, in the order in which they came, once for each machine."""
    become("anna")
    run_id = open_run(ledger, 4)
    record(ledger, run_id, 0, State.CREATED, "0")
    become("ben", "ops2")
    record(ledger, run_id, 1, State.REFUSED, "-11")
    become("anna")
    record(ledger, run_id, 2, State.UNKNOWN)
    become("anna", "ops2")
    ledger.run_control.join(run_id, "another owner")
    assert written(ledger) == [["anna", "ops1"], ["ben", "ops2"], ["anna", "ops1"]]
    assert set(ledger.history["version"]) == {this_actor().version}
    assert set(ledger.history["role"]) == {"postgres" if ledger.is_shared else ""}  # a file has none
    assert ledger.runs["by"].tolist() == ["anna@ops1, ben@ops2, anna@ops2"]
    assert ledger.run_store.operators(run_id) == ["anna", "ben", "anna", ""]
    shown = ledger.operators()
    assert shown[["operator", "machine", *NAMES]].to_numpy().tolist() == [
        ["anna", "ops1", 1, 0, 0, 0, 1, 2],
        ["ben", "ops2", 0, 0, 0, 1, 0, 1],
    ]
    times = ledger.history["at"].tolist()
    assert shown[["first", "last"]].to_numpy().tolist() == [[times[0], times[2]], [times[1], times[1]]]
    again = Ledger(ledger_place)
    assert again.runs["by"].tolist() == ledger.runs["by"].tolist()
    again.close()


def test_another_version_is_the_same_worker(ledger: Ledger, become: Become, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run names them once; each receipt has its version."""
    become("anna")
    run_id = open_run(ledger)
    record(ledger, run_id, 0, State.CREATED, "0")
    monkeypatch.setattr("itnio_nb.ledger.schema.actors._version", lambda: "0.2.0")
    record(ledger, run_id, 1, State.CREATED, "0")
    assert ledger.history["version"].tolist()[1:] == ["0.2.0"]
    assert len(set(ledger.history["version"])) == 2
    assert ledger.runs["by"].tolist() == ["anna@ops1"]
    assert len(ledger.operators()) == 1


def test_who_changes_a_group_later_is_its_operator(ledger: Ledger, become: Become) -> None:
    """In sum each group counts once, for who left it as it is; accounts are told apart."""
    become("anna")
    run_id = open_run(ledger)
    for at in range(3):
        record(ledger, run_id, at, State.UNKNOWN)
    become("ben", "ops2")
    newest = ledger.run_store.run_table(run_id)["newest"].tolist()
    ledger.run_store.write_resolutions([Resolution(newest[0], receipt(State.CREATED))])
    assert ledger.operators()[["operator", "created", "unknown", "receipts"]].to_numpy().tolist() == [
        ["anna", 0, 2, 3],
        ["ben", 1, 0, 1],
    ]
    assert ledger.table_for(ACCOUNT, operators=True)["operator"].tolist() == ["ben", "anna", "anna"]
    assert ledger.runs["by"].tolist() == ["anna@ops1, ben@ops2"]
    other = Account("other", "secret", ACCOUNT.base_url)
    assert ledger.operators(other).empty
    assert len(ledger.operators(ACCOUNT)) == 2


def test_the_operator_of_a_group_of_a_run_is_the_one_who_settled_it(ledger: Ledger, become: Become) -> None:
    """Of one that the run has refused and a later one made, that of the later; of one that it made, its own."""
    become("anna")
    first = open_run(ledger, 2)
    record(ledger, first, 0, State.CREATED, "0")
    record(ledger, first, 1, State.REFUSED, "-11")
    ledger.run_store.close_run(first, finished=True, note="", verified=None)
    become("ben")
    second = open_run(ledger, 2)
    assert ledger.run_store.operators(second) == ["anna", "anna"]
    record(ledger, second, 1, State.CREATED, "0")
    for run_id in (first, second):
        assert ledger.run_store.operators(run_id) == ["anna", "ben"]


def test_a_group_that_is_being_sent_is_of_who_sends_it(ledger: Ledger, become: Become) -> None:
    """Also where somebody else has looked it up before."""
    become("anna")
    run_id = open_run(ledger, 1)
    record(ledger, run_id, 0, State.REFUSED, "-11")
    become("ben")
    with closing(Releasing(ledger)) as owner:
        ledger.run_control.join(run_id, owner.token)
        assert claim(ledger, run_id, 0, owner.token)
        become("carl")
        assert ledger.table_for(None, operators=True)[["state", "operator"]].to_numpy().tolist() == [["sending", "ben"]]
        assert ledger.run_store.operators(run_id) == ["ben"]
    assert ledger.table["state"].tolist() == ["unknown"]  # its owner is gone
    assert written(ledger)[-1] == ["ben", "ops1"]


class Releasing:
    """An owner of a ledger that ends with a block."""

    def __init__(self, ledger: Ledger) -> None:
        self._owner = ledger.run_control.new_owner()
        self.token = self._owner.token

    def close(self) -> None:
        self._owner.release()


def test_what_is_written_before_a_failure_is_not_remembered(ledger: Ledger, become: Become) -> None:
    """The transaction that adds an operator fails, even after it has read them: the next one adds them again."""
    become("anna")
    run_id = open_run(ledger, 1)
    become("ben")

    def fail() -> None:
        with ledger.database.transaction(write=True) as connection:
            for _ in range(3):
                ledger.database.actor_number(connection, [run_id])
            raise sa.exc.OperationalError("", {}, Exception("disk full"))

    with pytest.raises(LedgerError, match="disk full"):
        fail()
    assert ledger.runs["by"].tolist() == ["anna@ops1"]
    record(ledger, run_id, 0, State.CREATED, "0")
    assert ledger.runs["by"].tolist() == ["anna@ops1, ben@ops1"]
    assert written(ledger) == [["ben", "ops1"]]


def test_one_who_is_known_is_read_once(ledger: Ledger, become: Become) -> None:
    """Of a run at work no statement asks for them again."""
    become("anna")
    run_id = open_run(ledger, 4)
    record(ledger, run_id, 0, State.CREATED, "0")
    statements: list[str] = []
    sa.event.listen(sa.Engine, "before_cursor_execute", listener := lambda *args: statements.append(args[2]))
    try:
        record(ledger, run_id, 1, State.CREATED, "0")
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", listener)
    assert any("INSERT INTO receipts" in one for one in statements)
    assert [one for one in statements if actors.name in one or run_actors.name in one] == []


HOSTILE = {
    "html": ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
    "formula": ("=1+1", "=1+1"),
    "line breaks": ("anna\nben\r\n", r"anna\nben"),
    "blanks": ("  anna  ", "anna"),
    "half a pair": ("b\udce9n", r"b\udce9n"),
    "direction": ("anna\u202e", r"anna\u202e"),
    "escape": ("\x1b[31manna", r"\x1b[31manna"),
    "long": ("x" * 10_000, "x" * 100),
    "long escapes": ("\u202e" * 10_000, "\\u202e" * 16 + "\\u20"),
    "at": ("anna@home, ben", "anna@home, ben"),
    "another script": ("Анна Ö", "Анна Ö"),
    "quotes": ("a'; DROP TABLE receipts; --\"", "a'; DROP TABLE receipts; --\""),
    "the word of a filter": ("all", "all"),
}


@pytest.mark.parametrize(("name", "kept"), HOSTILE.values(), ids=HOSTILE)
def test_names_are_lines_of_text(name: str, kept: str, ledger: Ledger, become: Become) -> None:
    """What cannot be seen or kept is escaped, and what is too long is cut."""
    become(name, name)
    record(ledger, open_run(ledger), 0, State.CREATED, "0")
    assert written(ledger) == [[kept, kept]]
    assert ledger.runs["by"].tolist() == [f"{kept}@{kept}"]
    assert ledger.operators()["operator"].tolist() == [kept]


@pytest.mark.parametrize("nothing", ["", "  ", "\n"])
def test_without_a_name_it_is_the_user_and_the_machine(nothing: str, become: Become) -> None:
    """As the operating system has them."""
    become(nothing, nothing)
    assert (this_actor().operator != "", this_actor().machine) == (True, platform.node())


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """As in a container; a machine may have none at all."""

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.delenv("ITNIO_OPERATOR", raising=False)
    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setattr("platform.node", lambda: "")
    module._user.cache_clear()
    try:
        record(ledger, open_run(ledger), 0, State.CREATED, "0")
    finally:
        module._user.cache_clear()
    assert ledger.runs["by"].tolist() == [f"user {os.getuid()}"]


@pytest.mark.sqlite_only("a file of somebody else")
def test_what_stands_in_a_file_of_somebody_else_is_only_text(ledger: Ledger, become: Become) -> None:
    """Names that no process of ours would write: NUL, line breaks, nothing, ten thousand characters."""
    become("anna")
    run_id = open_run(ledger)
    record(ledger, run_id, 0, State.CREATED, "0")
    ledger.close()
    for name in ("", "\0", "a\nb", "x" * 10_000, "=1+1", "<b>"):
        with closing(sqlite3.connect(ledger.path)) as other, other:
            other.execute("UPDATE actors SET operator = ?, machine = ?", (name, name))
        with Ledger(ledger.path) as again:
            assert written(again) == [[name, name]]
            assert again.runs["by"].tolist() == ["@".join(filter(None, (name, name)))]
            assert again.operators()["operator"].tolist() == [name]


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6])
def test_a_ledger_of_before_has_nobody_until_somebody_works(version: int, tmp_path: Path, become: Become) -> None:
    """Nobody for what was written before, which who opens it has not done; who goes on is there."""
    become("anna")
    with Ledger(earlier_ledger(version, tmp_path)) as ledger:
        assert {*map(tuple, written(ledger))} == {("", "")}
        assert ledger.runs["by"].tolist() == [""]
        assert ledger.operators()[["operator", "machine"]].to_numpy().tolist() == [["", ""]]
        run_id = ledger.runs_of(None)[ledger.runs["run"].iloc[0]]
        never_sent = ledger.run_store.run_table(run_id)["newest"].tolist().index(0)
        record(ledger, run_id, never_sent, State.CREATED, "0")
        assert ledger.runs["by"].tolist() == ["anna@ops1"]
        assert ledger.operators()["operator"].tolist() == ["", "anna"]


def test_a_batch_by_two(sandbox: Sandbox, client: Client, ledger: Ledger, become: Become) -> None:
    """From the plan to the comparison and new passwords, as people use it."""
    become("anna")
    plan = make_plan(many_orders(3), client, ledger)
    sandbox.faults = ",".join(["drop-after", *["query:-18-before"] * 60])
    assert "unknown" in submit_plan(plan, client, ledger, workers=1).wait().counts
    sandbox.faults = None
    become("ben", "ops2")
    reconcile(client, ledger)
    assert ledger.runs["by"].tolist() == ["anna@ops1, ben@ops2"]
    assert set(ledger.operators(client.account)["operator"]) == {"anna", "ben"}
    submit_plan(make_plan(orders_frame(("sales", "sales-desk", "2")), client, ledger), client, ledger).wait()
    assert ledger.runs["by"].tolist()[1] == "ben@ops2"
    become("carl", "ops3")
    reset_passwords(client, ledger, APP, ["sales"]).wait()
    assert {*map(tuple, ledger.resets[["operator", "machine"]].to_numpy())} == {("carl", "ops3")}
    assert "carl" not in " ".join(ledger.runs["by"])
