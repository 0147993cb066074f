"""What a runbook ends with: the exit code that holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from nbformat import from_dict

from itnio_nb import (
    Client,
    InputError,
    Ledger,
    Outcome,
    Sandbox,
    Workspace,
    exit_code,
    make_plan,
    reconcile,
    runbook_outcome,
    runbook_plan,
    submit_plan,
)
from itnio_nb.runbooks.outcome import CODES, MIME
from itnio_nb.runbooks.runner import save_notebook
from itnio_nb.runs.run import RunRecord
from tests.support.factories import APP, many_orders, orders_frame
from tests.support.kernel import notebook_of

INVALID = ("abc",)
GOOD = ("sales", "desk")


class EndedRun:
    """A run that has ended with groups in these states."""

    def __init__(self, *states: str, proven: bool = True) -> None:
        self._states, self.proven = states, proven

    def snapshot(self) -> tuple[str, pd.DataFrame]:
        return "Done.", pd.DataFrame({"state": self._states, "reason": "", "quantity": 1})


@pytest.mark.parametrize(
    ("states", "proven", "code"),
    [
        ("created exists", True, 0),
        ("created exists", False, 5),
        ("created partial", True, 4),
        ("created refused partial", False, 5),
        ("created refused unknown", True, 5),
        ("created sending", True, 5),
        ("created refused unknown sending planned", False, 6),
    ],
)
def test_of_several_that_hold_the_first_counts(states: str, proven: bool, code: int) -> None:
    """Not sent, unknown or not seen, refused or partial, invalid rows, in this order."""
    run = cast("RunRecord", EndedRun(*states.split(), proven=proven))
    assert runbook_outcome(make_plan(orders_frame(GOOD)), run).code == code
    assert runbook_outcome(make_plan(orders_frame(GOOD, INVALID)), run).code == (code or 3)


def test_all_created_and_verified_is_0(client: Client, ledger: Ledger) -> None:
    """And once more, with nothing left to do; the words are the run's own, or the plan's."""
    plan = make_plan(many_orders(3), client, ledger)
    run = submit_plan(plan, client, ledger).wait()
    outcome = runbook_outcome(plan, run)
    assert (outcome.code, outcome.summary, outcome.applications) == (0, run.summary, (APP,))
    assert "Verified: 9 of 9 phones." in outcome.summary
    again = make_plan(many_orders(3), client, ledger)
    assert (runbook_outcome(again).code, runbook_outcome(again).summary) == (0, again.summary)
    assert runbook_outcome(again, submit_plan(again, client, ledger).wait()).code == 0
    assert runbook_outcome(make_plan(orders_frame(("group-1", "phone-1"), INVALID), client, ledger)).code == 3


def test_what_nobody_has_seen_is_5(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Until `reconcile` has seen it, which is the better proof."""
    sandbox.faults = "none,drop-after,query:none,query:-18-before*30"
    plan = make_plan(many_orders(2), client, ledger)
    run = submit_plan(plan, client, ledger, workers=1).wait()
    assert sorted(run.table["state"]) == ["created", "unknown"]
    assert "Not verified: " in run.summary
    assert runbook_outcome(plan, run).code == 5
    sandbox.faults = None
    report = reconcile(client, ledger)
    assert runbook_outcome(plan, run).code == 5
    assert runbook_outcome(plan, run, report).code == 0


def test_a_dry_run(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """2 with changes to make, 1 with invalid rows alone; 5 in doubt, before what is to create and what is invalid."""
    for rows, code in (((GOOD,), 2), ((GOOD, INVALID), 2), ((INVALID,), 1)):
        assert runbook_outcome(make_plan(orders_frame(*rows), client, ledger)).code == code
    assert ledger.runs.empty
    sandbox.faults = "drop-before,query:-18-before*30"
    submit_plan(make_plan(orders_frame(GOOD)), client, ledger).wait()
    sandbox.faults = None
    for more in ((), (("new1", "line"),), (INVALID,), (("new1", "line"), INVALID)):
        assert runbook_outcome(make_plan(orders_frame(GOOD, *more), client, ledger)).code == 5


def test_the_passwords_of_all_applications_are_to_be_searched() -> None:
    """Each of the plan's, once."""
    plan = make_plan(orders_frame(GOOD, ("more", "more"), ("third", "line", "3", "861000000", "second"), INVALID))
    assert runbook_outcome(plan).applications == (APP, "second")


def test_a_plan_is_of_a_spreadsheet_or_a_saved_one(client: Client, ledger: Ledger, tmp_path: Path) -> None:
    """One application for all rows; a saved plan takes the place of both, as it is; a limit makes a trial of either."""
    ws = Workspace(client, ledger)
    many_orders(3).drop(columns="appId").to_csv(tmp_path / "phones.csv", index=False)
    plan = runbook_plan(ws, tmp_path / "phones.csv", app_id="second")
    assert (set(plan.table["appId"]), len(plan.table)) == ({"second"}, 3)
    plan.first(2).save(tmp_path / "plan.json")
    saved = runbook_plan(ws, "missing.csv", app_id="third", plan=tmp_path / "plan.json")
    assert saved.table["groupName"].tolist() == ["group-0", "group-1"]
    assert len(runbook_plan(ws, "missing.csv", plan=tmp_path / "plan.json", limit=1).table) == 1


def shown(value: object) -> dict[str, Any]:
    """An output of a cell, as a kernel makes it of the cell's last line."""
    data, metadata = DisplayFormatter().format(value)  # type: ignore[no-untyped-call] # IPython
    return {"output_type": "execute_result", "data": data, "metadata": metadata, "execution_count": 1}


def failed() -> dict[str, Any]:
    return {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}


def notebook(path: Path, *outputs: dict[str, Any]) -> Path:
    """A notebook that was executed: a text, then one cell for each of these outputs."""
    made = notebook_of("# Text", *["1"] * len(outputs))
    for cell, output in zip(made.cells[1:], outputs, strict=True):
        cell.outputs = [from_dict(output)]  # type: ignore[no-untyped-call] # nbformat
    save_notebook(made, path)
    return path


@pytest.mark.parametrize("code", CODES)
def test_an_exit_code_is_read_from_an_executed_notebook(code: int, tmp_path: Path) -> None:
    """As the kernel has stored it; the last one counts: a dry run first, then the run."""
    outputs = [shown(Outcome(2)), shown(Outcome(code, "so it was", (APP,))), shown(3)]
    path = notebook(tmp_path / "runbook.ipynb", *outputs)
    assert exit_code(path) == exit_code(str(path)) == code


def test_what_did_not_come_to_its_end_is_1(tmp_path: Path) -> None:
    """An error in a cell, before the outcome or behind it; no outcome: killed in the middle, or never executed."""
    for outputs in ([failed(), shown(Outcome(0))], [shown(Outcome(0)), failed()], [shown("before")], []):
        assert exit_code(notebook(tmp_path / "a.ipynb", *outputs)) == 1


DAMAGED = [None, b"", b"no notebook", b"\xff\xfe", b"[]", b"{}", b'{"cells": 5}', b'{"cells": [{"outputs": 5}]}']
DAMAGED += [b'{"cells": ["text"]}', b'{"cells": [{"outputs": ["text"]}]}']


@pytest.mark.parametrize("content", DAMAGED)
def test_what_is_no_executed_notebook_is_said(content: bytes | None, tmp_path: Path) -> None:
    """Missing, not JSON, or JSON of something else."""
    path = tmp_path / "a.ipynb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.ipynb is no executed notebook .*: give the one that the run has written"):
        exit_code(path)


def test_an_outcome_says_what_it_means() -> None:
    """In a cell as text, to the runner as data."""
    outcome = Outcome(2, "Plan: 1 group to create", (APP,))
    assert repr(outcome) == "Exit code 2: dry run, with changes to make."
    data = shown(outcome)["data"]
    assert data["text/plain"] == repr(outcome)
    assert data[MIME] == {
        "code": 2,
        "words": "dry run, with changes to make",
        "summary": "Plan: 1 group to create",
        "applications": [APP],
        "left": None,
        "because": "",
    }
