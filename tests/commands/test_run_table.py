"""A table of runs: what a runbook is given and meets, and then its exit code, its last line, the phones, the record.

Each ends in the sandbox's books as its row says. Signals, terminals and disks need processes: tests/commands has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from itnio_nb import Client, Sandbox, exit_code
from itnio_nb.runbooks.execute import HAND_OVER
from itnio_nb.runbooks.outcome import CODES
from tests.support.agreement import creations
from tests.support.factories import APP, group, many_orders, orders_frame
from tests.support.kernel import RUNBOOK, Run, run_in_process

COMMAND = "itnio-nb run runbook.ipynb"
DONE = f"Exit code 0: {CODES[0]}."
INVALID = ("abc", "abc")


@dataclass
class Case:
    """One run: what is asked for of which account, what it meets, and how it must end."""

    name: str
    code: int
    last: str
    made: int  # phones, by this run
    rows: tuple[tuple[object, ...], ...] | int = 3  # orders, or how many good ones of two phones
    faults: str | None = None
    there: tuple[dict[str, Any], ...] = ()  # groups that were created by hand before, by what differs from the order
    before: tuple[dict[str, Any], ...] = ()  # the parameters of runs before, whose faults are over
    says: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    cap: int | None = None
    published: bool = True  # the record, which stays private where nobody could list the passwords


def row(number: int, **cells: object) -> tuple[object, ...]:
    """An order of `many_orders`, otherwise."""
    good = {"groupName": f"group-{number}", "phoneName": f"phone-{number}", "quantity": "2"}
    return tuple({**good, "displayNum": "861000000", "appId": APP, **cells}.values())


APPLY: dict[str, Any] = {"apply": True}
UNKNOWN = "drop-after*40, query:none, query:-18-before*400"
TABLE = [
    # Dry: nothing is sent, whatever is met.
    Case("dry", 2, f"{COMMAND} --apply --confirm 6", 0),
    Case("dry, one row", 2, f"{COMMAND} --apply --confirm 2", 0, rows=1),
    Case("dry, with an invalid row", 2, f"{COMMAND} --apply --confirm 2", 0, rows=(row(0), INVALID)),
    Case("dry, all there", 0, DONE, 0, before=(APPLY,)),
    Case("dry, all there, an invalid row", 3, COMMAND, 0, rows=(row(0), INVALID), before=(APPLY,)),
    Case("dry, made by hand as asked", 0, DONE, 0, rows=1, there=({},)),
    Case("dry, made by hand, larger", 4, COMMAND, 0, rows=1, there=({"quantity": 5},), says="5 phones, 2 asked for"),
    Case("dry, made by hand, smaller", 4, COMMAND, 0, rows=1, there=({"quantity": 1},), says="1 phone, 2 asked for"),
    Case("dry, of another number", 4, COMMAND, 0, rows=1, there=({"display_num": "861999999"},)),
    Case("dry, of another name", 4, COMMAND, 0, rows=1, there=({"phone_name": "else"},)),
    Case("dry, one differs, one is to create", 4, COMMAND, 0, rows=2, there=({"quantity": 5},)),
    Case("dry, no row", 1, COMMAND, 0, rows=0, says="nothing was asked for: the orders have no rows"),
    Case("dry, no valid row", 1, COMMAND, 0, rows=(INVALID,), says="no row of the orders is valid"),
    Case("dry, a trial", 2, f"{COMMAND} --apply --confirm 6", 0, given={"limit": 1}),
    Case("dry, the listing fails", 1, COMMAND, 0, faults="query:-18-before*400"),
    # Applied.
    Case("applied", 0, DONE, 6, given=APPLY, says="Verified: 6 of 6 phones."),
    Case("applied, confirmed", 0, DONE, 6, given={**APPLY, "confirm": 6}),
    Case("applied, another number confirmed", 1, COMMAND, 0, given={**APPLY, "confirm": 7}, says="7 were confirmed"),
    Case("applied, 0 confirmed", 1, COMMAND, 0, given={**APPLY, "confirm": 0}, says="0 were confirmed"),
    Case("applied again", 0, DONE, 0, given=APPLY, before=(APPLY,), says="Nothing was sent: all 3 groups exist"),
    Case("applied again, 0 confirmed", 0, DONE, 0, given={**APPLY, "confirm": 0}, before=(APPLY,)),
    Case("applied, after a trial", 0, DONE, 4, given=APPLY, before=({**APPLY, "limit": 1},)),
    Case("applied, with an invalid row", 3, COMMAND, 2, rows=(row(0), INVALID), given=APPLY),
    Case("applied, no valid row", 1, COMMAND, 0, rows=(INVALID, INVALID), given=APPLY),
    Case("applied, no row", 1, COMMAND, 0, rows=0, given=APPLY),
    Case("applied, one differs", 4, COMMAND, 2, rows=2, given=APPLY, there=({"quantity": 5},)),
    Case(
        "applied, one differs, one invalid",
        4,
        COMMAND,
        0,
        rows=(row(0), INVALID),
        given=APPLY,
        there=({"quantity": 5},),
    ),
    Case("a trial", 6, f"{COMMAND} --apply --confirm 4", 2, given={**APPLY, "limit": 1}),
    Case("a trial of all", 0, DONE, 6, given={**APPLY, "limit": 9}),
    Case(
        "a trial, one differs",
        6,
        f"{COMMAND} --apply --confirm 2",
        2,
        given={**APPLY, "limit": 1},
        there=({"quantity": 5},),
    ),
    # Faults.
    Case("answers are lost", 0, DONE, 6, given=APPLY, faults="drop-after*2"),
    Case("requests are lost", 0, DONE, 6, given=APPLY, faults="drop-before*2"),
    Case("an answer of HTML", 0, DONE, 6, given=APPLY, faults="html"),
    Case("a busy server", 0, DONE, 6, given=APPLY, faults="429, 503"),
    Case("lost, and nobody can look", 5, COMMAND, 6, given=APPLY, faults=UNKNOWN, says="3 unknown", published=False),
    Case("looked up by the next", 0, DONE, 0, given=APPLY, before=({**APPLY, "faults": UNKNOWN},)),
    Case(
        "lost, and an invalid row", 5, COMMAND, 2, rows=(row(0), INVALID), given=APPLY, faults=UNKNOWN, published=False
    ),
    Case(
        "unknown, and still nobody can look",
        1,
        COMMAND,
        0,
        before=({**APPLY, "faults": UNKNOWN},),
        faults="query:-18-before*400",
    ),
    Case(
        "the address is not allowed",
        4,
        COMMAND,
        0,
        rows=1,
        given=APPLY,
        faults="-2-before*40",
        says="Address not allowed",
    ),
    Case("the application is full", 4, COMMAND, 2, rows=2, given=APPLY, cap=2, says="Application full"),
    Case("full, and an invalid row", 4, COMMAND, 0, rows=(row(0), INVALID), given=APPLY, cap=1),
    Case("half of a group", 4, COMMAND, 1, rows=1, given=APPLY, faults="half"),
    Case("the server's clock jumps", 0, DONE, 6, given=APPLY, faults="clock"),
    # What cannot be right.
    Case("no file", 1, COMMAND, 0, given={"orders": "missing.csv"}, says="missing.csv"),
    Case("a folder", 1, COMMAND, 0, given={"orders": "."}),
    Case("a plan that is none", 1, COMMAND, 0, given={"plan": "orders.csv"}),
]


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_a_run(case: Case, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, client: Client) -> None:
    """Its exit code, its last line, the phones that it made, and a record that says the same.

    After 0 the last line is the command that hands its phones over, if it has made any.
    """
    run: Run = run_in_process(monkeypatch, sandbox)
    frame = many_orders(case.rows, 2) if isinstance(case.rows, int) else orders_frame(*case.rows)
    frame.to_csv("orders.csv", index=False)
    for number, other in enumerate(case.there):
        client.create_phones(replace(group(f"group-{number}", f"phone-{number}", 2), **other))
    for given in case.before:
        sandbox.faults = given.get("faults")
        run(orders="orders.csv", **{name: value for name, value in given.items() if name != "faults"})
    sandbox.faults, sandbox.cap = case.faults, case.cap or sandbox.cap
    before = len(sandbox.phones)
    done = run(RUNBOOK, **{"orders": "orders.csv", **case.given})
    lines = done.lines[:-2] if HAND_OVER in done.lines else done.lines
    assert (done.code, lines[-1]) == (case.code, case.last), done.text
    if case.made or case.code:
        assert (lines != done.lines) == (case.code == 0)
    assert len(sandbox.phones) - before == case.made
    assert case.says in done.text
    assert max(creations(sandbox).values(), default=1) == 1
    [record] = [done.record] if case.published else Path("records").glob(".private-*")
    assert exit_code(record / "runbook.ipynb") == case.code
