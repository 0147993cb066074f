"""Running a runbook: its exit code, its record and the command that goes on, without starting a kernel."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest
from nbformat.v4 import new_output

from itnio_nb import Account, Client, InputError, Ledger, Sandbox, exit_code, make_plan
from itnio_nb.runbooks.execute import HAND_OVER
from itnio_nb.runbooks.outcome import CODES, NO_CONCLUSION
from itnio_nb.runbooks.parameters import inject
from itnio_nb.runbooks.records import PendingRecord, public_path
from itnio_nb.runbooks.runner import read_notebook, save_notebook
from tests.support.agreement import creations
from tests.support.factories import APP, group, many_orders
from tests.support.kernel import RUNBOOK, Run, notebook_of, run_in_process


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> Run:
    return run_in_process(monkeypatch, sandbox)


def orders(number: int, quantity: int = 2) -> str:
    many_orders(number, quantity).to_csv("orders.csv", index=False)
    return "orders.csv"


def own(*sources: str, parameters: str = "") -> Path:
    save_notebook(notebook_of(*sources, parameters=parameters), Path("own.ipynb"))
    return Path("own.ipynb")


def test_dry_and_applied(run: Run, sandbox: Sandbox) -> None:
    """2 and 0: the last line is the command that goes on, or hands over; the records have these codes."""
    dry = run(orders=orders(3))
    goes_on = "itnio-nb run runbook.ipynb --apply --confirm 6"
    assert (dry.code, dry.lines[-1], creations(sandbox).total()) == (2, goes_on, 0)
    applied = run(orders="orders.csv", apply=True, confirm=6)
    [name] = {path.name.removesuffix("-created.csv") for path in Path("results").glob("*-created.csv")}
    last = [f"Exit code 0: {CODES[0]}.", HAND_OVER, f"itnio-nb credentials --run {name}"]
    assert (applied.code, applied.lines[-3:]) == (0, last), applied.text
    assert applied.lines[0] == "Should this be cut off, this goes on: itnio-nb run runbook.ipynb"
    assert any(line.startswith("Verify: 3 of 3 groups (created 3") for line in applied.lines)
    assert "Verified: 6 of 6 phones." in applied.text
    assert creations(sandbox).total() == 3
    for done in (dry, applied):
        assert exit_code(done.record / "runbook.ipynb") == done.code
        assert "Record of a run" in (done.record / "runbook.html").read_text(encoding="utf-8")


def test_what_is_unknown_or_refused(run: Run, sandbox: Sandbox) -> None:
    """5: an answer was lost, and the account does not answer. 4: the application is full. The same command goes on."""
    sandbox.faults = "drop-after, query:none, query:-18-before*400"
    unknown = run(orders=orders(1), apply=True)
    assert (unknown.code, unknown.lines[-1]) == (5, "itnio-nb run runbook.ipynb"), unknown.text
    sandbox.cap, sandbox.faults = 2, None
    refused = run(orders=orders(2), apply=True)
    assert (refused.code, refused.lines[-1]) == (4, "itnio-nb run runbook.ipynb"), refused.text
    assert "Application full" in refused.text


@pytest.mark.parametrize("parameters", [{"orders": "missing.csv"}, {"plan": "orders.csv"}, {"confirm": 7}], ids=str)
def test_what_cannot_run_is_exit_1(parameters: dict[str, Any], run: Run, sandbox: Sandbox) -> None:
    """Nothing is sent; the record is kept as far as it came; what to do is named, then the command."""
    done = run(**{"orders": orders(3), "apply": True, **parameters})
    assert (done.code, creations(sandbox).total()) == (1, 0)
    assert "A cell failed with InputError: " in done.text
    assert "Exit code 1: could not run." in done.text
    assert done.lines[-2:] == ["Correct what it says, then run the same again:", "itnio-nb run runbook.ipynb"]
    assert exit_code(done.record / "runbook.ipynb") == 1


NO_SWITCH: list[Any] = ["no", "False", "true", 1, 0, None, [], ""]
WRONG: list[dict[str, Any]] = [
    *({"apply": value} for value in NO_SWITCH),
    *({"confirm": value} for value in ("6", True, 6.0, float("nan"), -1, "six")),
    *({"limit": value} for value in (0, "3", 2.5, True)),
    *({"workers": value} for value in ("8", 0, True, 2.5, float("inf"))),
    *({"rate": value} for value in ("fast", 0, float("nan"), float("inf"), True)),
    *({"results": value} for value in (3, None, "", ["results"], "orders.csv")),
    *({name: 7} for name in ("orders", "app_id", "plan")),
]


@pytest.mark.parametrize("parameters", WRONG, ids=str)
def test_what_is_not_what_it_must_be_is_said_before_planning(
    parameters: dict[str, Any], run: Run, sandbox: Sandbox
) -> None:
    """By the command, in words, before a kernel is started: no record, and the account is asked nothing."""
    with pytest.raises(InputError, match=r"Nothing was sent: |A run has at least 1|The most requests in a second"):
        run(**{"orders": orders(3), "apply": True, **parameters})
    assert sandbox.log == []
    assert not Path("records").exists()


@pytest.mark.parametrize("parameters", WRONG, ids=str)
def test_plain_papermill_says_it_too(parameters: dict[str, Any], run: Run, sandbox: Sandbox) -> None:
    """The notebook itself checks what it is given, before it plans."""
    notebook = read_notebook(RUNBOOK)
    inject(notebook, {"orders": orders(3), "apply": True, **parameters})
    notebook.cells[next(at for at, cell in enumerate(notebook.cells) if "tags" in cell.metadata)].metadata = {}
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    save_notebook(notebook, Path("given.ipynb"))
    done = run(Path("given.ipynb"))
    assert (done.code, creations(sandbox).total()) == (1, 0), done.text
    assert "A cell failed with InputError: " in done.text
    assert all(one.endpoint == "sipQuery" for one in sandbox.log)
    assert not [one for one in sandbox.log if one.endpoint == "sipAdd"]


def test_parameters_that_a_notebook_has_not_are_said(run: Run) -> None:
    """Before anything is executed, and no record is made."""
    with pytest.raises(InputError, match=r"own\.ipynb has no parameter nonsense, odd: it has limit, orders\."):
        run(own("1", parameters="orders = 1\nlimit = 2"), nonsense=1, odd=2, limit=3)
    with pytest.raises(InputError, match="has no cell tagged `parameters`: it takes none"):
        run(own("1"), limit=3)
    assert not Path("records").exists()


def test_a_notebook_that_concludes_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """1, in words of its own, and its record agrees; 6 where a signal had interrupted it."""
    nothing = run(own("1 + 1"))
    assert nothing.code == exit_code(nothing.record / "own.ipynb") == 1
    assert f"Exit code 1: {NO_CONCLUSION}." in nothing.lines
    assert run(own("1 / 0")).code == 1
    assert run(own("raise KeyboardInterrupt")).code == 1
    monkeypatch.setattr("os.kill", lambda *_: signal.default_int_handler(signal.SIGINT, None))
    done = run(own("import signal\nsignal.raise_signal(signal.SIGTERM)"))
    assert (done.code, done.lines[-1]) == (6, "itnio-nb run own.ipynb")
    assert "Exit code 6: stopped before its end: nothing was sent." in done.lines


def test_what_was_made_before_it_could_not_go_on_is_said(run: Run, sandbox: Sandbox) -> None:
    """Never "could not run" after phones were made."""
    made = "from itnio_nb import *\nws = open_workspace()\nws.submit(ws.plan('orders.csv')).wait()"
    orders(3)
    done = run(own(made, "1 / 0"))
    assert (done.code, creations(sandbox).total()) == (1, 3)
    assert "Exit code 1: could not go on: 3 groups (6 phones) created before that." in done.lines
    sandbox.faults = "drop-after*2, query:none, query:-18-before*400"
    done = run(own(made.replace("orders.csv", orders(5)), "1 / 0"))
    assert "Exit code 1: could not go on: 0 groups (0 phones) created before that, 2 unknown" in done.text


def test_a_plan_is_a_promise(run: Run, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """`limit` sends its first groups only, a trial; it has become stale then, and is refused with the differences."""
    make_plan(many_orders(3), client, ledger).save("plan.json")
    trial = run(plan="plan.json", limit=2, apply=True)
    assert (trial.code, trial.lines[-1]) == (6, "itnio-nb run runbook.ipynb --apply --confirm 3")
    assert set(creations(sandbox)) == {"group-0", "group-1"}
    stale = run(plan="plan.json", apply=True)
    assert (stale.code, creations(sandbox).total()) == (1, 2)
    assert "The saved plan is stale" in stale.text
    assert "group-0: create → exists" in stale.text


def test_a_planted_secret_withholds_the_record(run: Run, sandbox: Sandbox, client: Client) -> None:
    """All went well, and the exit code is 1: it stays in the private folder, and the message says which cell.

    A password too, of the phones that the runbook was about.
    """
    leak = "from itnio_nb import Account\nprint('it is', Account.from_env().api_secret.reveal())"
    done = run(own("'clean'", leak, "Outcome(0)".join(["from itnio_nb import Outcome\n", ""])))
    assert done.code == 1
    assert "Exit code 1: all went well, and there is no record to show for it." in done.lines
    assert sandbox.account.api_secret.reveal() not in done.text
    assert "it is ********" in done.lines
    assert "The record is withheld: the API secret of …" in done.text
    assert "stands in cell 3 of own.ipynb" in done.text
    [private] = Path("records").iterdir()
    assert (private.name[:9], S_IMODE(private.stat().st_mode)) == (".private-", 0o700)
    client.create_phones(group())
    password = (
        f"from itnio_nb import *\nopen_workspace().client.list_phones({APP!r}, reveal=True)['password'].to_list()"
    )
    done = run(own(password, f"Outcome(0, '', ({APP!r},))"))
    assert "The record is withheld: the password of a phone stands in cell 2 of own.ipynb" in done.text, done.text


def test_records_that_were_left_are_published(run: Run, sandbox: Sandbox) -> None:
    """By the next run, with a page; one that was cut off while it was written stays private, as does a stranger's."""
    stranger = Account("another1", "another2", sandbox.base_url)
    makers = {"killed": sandbox.account, "cut": sandbox.account, "theirs": stranger}
    made = {name: PendingRecord(Path("records"), name, account) for name, account in makers.items()}
    for each in made.values():
        (each.path / "own.ipynb").write_bytes(own("1").read_bytes())
        each.release()
    (made["cut"].path / "own.ipynb").write_text('{"cells": [')
    done = run(own("1"))
    killed, cut, theirs = (each.path for each in made.values())
    assert f"A record that was left behind: {public_path(killed)}" in done.lines
    assert (public_path(killed) / "own.html").exists()
    problem = "JSONDecodeError: Expecting value: line 1 column 12 (char 11)"
    assert f"The record cannot be searched ({problem}): {cut}. Look at it, and delete it." in done.lines
    assert f"A record stays private, look at it and delete it: {theirs}: it was made with another account" in done.text


def test_a_page_that_cannot_be_made_is_told(run: Run) -> None:
    """A broken attachment: the code stands, and later runs go on."""
    notebook = notebook_of("from itnio_nb import Outcome\nOutcome(0)", "# Text ![x](attachment:x.png)")
    notebook.cells[1]["attachments"] = {"x.png": {}}
    Path("own.ipynb").write_text(json.dumps(notebook))
    done = run(Path("own.ipynb"))
    assert done.code == 0, done.text
    assert "The record has no page (" in done.text
    assert exit_code(done.record / "own.ipynb") == 0
    assert run(own("from itnio_nb import Outcome\nOutcome(0)")).code == 0


def test_what_a_notebook_brings_along_is_not_kept(run: Run) -> None:
    """Outputs, metadata and inputs of an earlier execution: what is kept is what was executed."""
    notebook = notebook_of("from itnio_nb import Outcome\nOutcome(0)", parameters="x = 1")
    notebook.metadata["papermill"] = {"input_path": "old secret", "parameters": {"x": "old secret"}}
    notebook.metadata["widgets"] = {"state": "old secret"}
    notebook.cells[1].metadata["execution"] = {"old": "old secret"}
    notebook.cells[1].outputs = [new_output("stream", text="old secret")]  # type: ignore[no-untyped-call] # nbformat
    save_notebook(notebook, Path("own.ipynb"))
    done = run(Path("own.ipynb"), x=2)
    assert "old secret" not in (done.record / "own.ipynb").read_text()
    assert read_notebook(done.record / "own.ipynb").metadata["papermill"] == {"parameters": {"x": 2}}


def test_applications_of_this_run_alone_are_searched(run: Run, sandbox: Sandbox) -> None:
    """And each once: a ledger of years does not make tonight's run longer."""
    for number in range(5):
        many_orders(1, app_id=f"app-{number}").to_csv("orders.csv", index=False)
        assert run(orders="orders.csv", apply=True).code == 0
    before = len(sandbox.log)
    assert run(orders="orders.csv", apply=True).code == 0
    asked = [one for one in sandbox.log[before:] if one.endpoint == "sipQuery"]
    assert len(asked) == 2  # to plan, and for the passwords


def test_groups_of_others_never_change_the_code(run: Run, sandbox: Sandbox) -> None:
    """One of another application that is gone, and one that was left unknown there."""
    many_orders(2, app_id="other").to_csv("other.csv", index=False)
    assert run(orders="other.csv", apply=True).code == 0
    sandbox.delete_group("other", "group-0")
    assert run(orders="other.csv", apply=True).code == 5
    assert run(orders=orders(2), apply=True).code == 0
    assert run(orders=orders(2)).code == 0


def test_what_is_there_otherwise_is_4(run: Run, client: Client) -> None:
    """Another size, number or name: in a dry run too, and after one that had something to send."""
    others: list[dict[str, Any]] = [{"quantity": 7}, {"display_num": "861999999"}, {"phone_name": "else"}]
    for other in others:
        name = f"group-{len(other)}{next(iter(other))}"[:20]
        client.create_phones(replace(group(), **{"group_name": name, "phone_name": name, **other}))
        frame = many_orders(2).assign(groupName=[name, f"{name}-b"], phoneName=[name, f"{name}-b"])
        frame.to_csv("orders.csv", index=False)
        assert run(orders="orders.csv").code == 4
        done = run(orders="orders.csv", apply=True)
        assert done.code == 4, done.text


def test_no_valid_row_is_not_done(run: Run) -> None:
    """Nor is an empty file: 1, with words."""
    many_orders(2).assign(groupName="x").to_csv("orders.csv", index=False)
    for apply in (False, True):
        done = run(orders="orders.csv", apply=apply)
        assert (done.code, "no row of the orders is valid" in done.text) == (1, True), done.text
    many_orders(2).iloc[:0].to_csv("orders.csv", index=False)
    assert run(orders="orders.csv").code == 1


def test_a_saved_plan_is_executed(run: Run, sandbox: Sandbox) -> None:
    """`save_plan` writes what `plan` executes."""
    assert run(orders=orders(3), save_plan="plan.json").code == 2
    assert run(plan="plan.json", apply=True).code == 0
    assert creations(sandbox).total() == 3


def test_the_next_command_sends_what_is_missing(run: Run, sandbox: Sandbox) -> None:
    """After a stop: with the number that is missing then."""
    sandbox.faults = "none*2, -2-before*40"
    stopped = run(orders=orders(5), apply=True, workers=1)
    assert (stopped.code, stopped.lines[-1]) == (6, "itnio-nb run runbook.ipynb --apply --confirm 6"), stopped.text
