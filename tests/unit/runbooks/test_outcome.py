"""What a runbook ends with: the exit code that holds, and the heading that says who ran what."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from nbformat import from_dict, write

from itnio_nb import (
    Account,
    Client,
    InputError,
    Ledger,
    Outcome,
    Plan,
    Sandbox,
    exit_code,
    make_plan,
    reconcile,
    runbook_outcome,
    submit_plan,
)
from itnio_nb.runbooks.outcome import CODES, MIME, heading
from tests.support.factories import APP, many_orders, orders_frame

INVALID = ("abc",)
WRONG_APP = ("other", "line", "3", "861000000", "wrong")
GOOD = ("sales", "desk")
# A request that is lost, and listings that cannot be had: its group stays unknown.
LOST = "drop-before,query:-18-before*30"


def run_code(plan: Plan, client: Client, ledger: Ledger) -> int:
    """The exit code of a plan that is submitted, one request at a time, in order."""
    run = submit_plan(plan, client, ledger, workers=1)
    assert run.join(30)
    return runbook_outcome(plan, run).code


def in_doubt(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Leave the group `sales` in doubt."""
    sandbox.faults = LOST
    assert run_code(make_plan(orders_frame(GOOD)), client, ledger) == 5
    sandbox.faults = None


def test_all_created_and_verified_is_0(client: Client, ledger: Ledger) -> None:
    """And once more, with nothing left to do; the words are the run's own."""
    plan = make_plan(many_orders(3), client, ledger)
    run = submit_plan(plan, client, ledger).wait()
    outcome = runbook_outcome(plan, run)
    assert (outcome.code, outcome.summary, outcome.applications) == (0, run.summary, (APP,))
    assert "Verified: 9 of 9 phones." in outcome.summary
    assert run_code(make_plan(many_orders(3), client, ledger), client, ledger) == 0


def test_invalid_rows_beside_what_was_created_are_3(client: Client, ledger: Ledger) -> None:
    """Also where no row is valid."""
    assert run_code(make_plan(orders_frame(GOOD, INVALID), client, ledger), client, ledger) == 3
    assert run_code(make_plan(orders_frame(INVALID), client, ledger), client, ledger) == 3


@pytest.mark.parametrize("more", [(), (INVALID,)])
def test_refused_is_4(more: tuple[tuple[str, ...], ...], sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Whatever else was created, and before invalid rows."""
    sandbox.app_ids = [APP]
    plan = make_plan(orders_frame(WRONG_APP, GOOD, *more))
    assert run_code(plan, client, ledger) == 4
    assert sorted(ledger.table["state"]) == ["created", "refused"]


def test_partial_is_4(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A group that has half of its phones."""
    sandbox.faults = "half"
    assert run_code(make_plan(orders_frame(GOOD, INVALID), client, ledger), client, ledger) == 4
    assert ledger.table["state"].tolist() == ["partial"]


def test_unknown_is_5_before_all_that_is_known(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """One unknown, one refused, one created, one row invalid."""
    sandbox.app_ids, sandbox.faults = [APP], LOST
    plan = make_plan(orders_frame(GOOD, WRONG_APP, ("late", "late"), INVALID))
    assert run_code(plan, client, ledger) == 5
    assert sorted(ledger.table["state"]) == ["created", "refused", "unknown"]


def test_created_and_not_verified_is_5(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Nobody has seen the phones: the server said so, and that is all."""
    sandbox.faults = "query:-18-before*30"
    plan = make_plan(orders_frame(GOOD, INVALID))
    run = submit_plan(plan, client, ledger).wait()
    assert set(run.table["state"]) == {"created"}
    assert "Not verified: " in run.summary
    assert runbook_outcome(plan, run).code == 5


def test_a_group_that_was_in_doubt_and_is_not_looked_up_is_5(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A later run leaves it alone while the account cannot be looked at."""
    in_doubt(sandbox, client, ledger)
    plan = make_plan(orders_frame(GOOD, ("other", "line")), client, ledger)
    sandbox.faults = "query:-18-before*30"
    assert run_code(plan, client, ledger) == 5


def test_not_sent_is_6_before_everything(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """One unknown, one refused for all, the rest not sent, one row invalid."""
    sandbox.faults, sandbox.allowed_addresses = "drop-before", []
    plan = make_plan(pd.concat([many_orders(60), orders_frame(INVALID)], ignore_index=True))
    run = submit_plan(plan, client, ledger, workers=1)
    assert run.join(30)
    assert {"unknown", "refused", "planned"} <= set(run.table["state"])
    assert runbook_outcome(plan, run).code == 6


def test_a_dry_run_with_nothing_to_do_is_0(client: Client, ledger: Ledger) -> None:
    """All that was asked for is there."""
    run_code(make_plan(many_orders(2), client, ledger), client, ledger)
    plan = make_plan(many_orders(2), client, ledger)
    outcome = runbook_outcome(plan)
    assert (outcome.code, outcome.summary) == (0, plan.summary)


@pytest.mark.parametrize("more", [(), (INVALID,)])
def test_a_dry_run_with_changes_is_2(more: tuple[tuple[str, ...], ...], client: Client, ledger: Ledger) -> None:
    """Rows that are invalid too change nothing: the valid groups are not there yet."""
    assert runbook_outcome(make_plan(orders_frame(GOOD, *more), client, ledger)).code == 2
    assert ledger.runs.empty


def test_a_dry_run_with_invalid_rows_alone_is_3(client: Client, ledger: Ledger) -> None:
    """Nothing to send, and something to mend; also beside what exists."""
    assert runbook_outcome(make_plan(orders_frame(INVALID), client, ledger)).code == 3
    run_code(make_plan(orders_frame(GOOD), client, ledger), client, ledger)
    assert runbook_outcome(make_plan(orders_frame(GOOD, INVALID), client, ledger)).code == 3


@pytest.mark.parametrize("more", [(), (("new1", "line"),), (INVALID,), (("new1", "line"), INVALID)])
def test_a_dry_run_in_doubt_is_5(
    more: tuple[tuple[str, ...], ...], sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """Before what it would create, and before what is invalid."""
    in_doubt(sandbox, client, ledger)
    assert runbook_outcome(make_plan(orders_frame(GOOD, *more), client, ledger)).code == 5


def test_the_passwords_of_all_applications_are_to_be_looked_for(sandbox: Sandbox, client: Client) -> None:
    """Each once, those of invalid rows too: the record may show them."""
    plan = make_plan(orders_frame(GOOD, ("more", "more"), ("abc", "x", "3", "861000000", "second")), client)
    assert runbook_outcome(plan).applications == (APP, "second")


def shown(value: object) -> dict[str, Any]:
    """An output of a cell, as a kernel makes it of the cell's last line."""
    data, metadata = DisplayFormatter().format(value)  # type: ignore[no-untyped-call] # IPython
    return {"output_type": "execute_result", "data": data, "metadata": metadata, "execution_count": 1}


def failed() -> dict[str, Any]:
    return {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}


def notebook(path: Path, *outputs: dict[str, Any]) -> Path:
    """A notebook that was executed: a text, then one cell for each of these outputs."""
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "metadata": {}, "source": "Text"}]
    cells += [
        {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": "1", "outputs": [output]}
        for output in outputs
    ]
    made = from_dict({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells})  # type: ignore[no-untyped-call] # nbformat
    write(made, path)  # type: ignore[no-untyped-call] # nbformat
    return path


@pytest.mark.parametrize("code", CODES)
def test_an_exit_code_is_read_from_an_executed_notebook(code: int, tmp_path: Path) -> None:
    """As the kernel has stored it."""
    path = notebook(tmp_path / "runbook.ipynb", shown("before"), shown(Outcome(code, "so it was", (APP,))), shown(3))
    assert exit_code(path) == code
    assert exit_code(str(path)) == code


def test_the_last_outcome_counts(tmp_path: Path) -> None:
    """A dry run first, then the run."""
    assert exit_code(notebook(tmp_path / "a.ipynb", shown(Outcome(2)), shown(Outcome(3)))) == 3


@pytest.mark.parametrize("after", [False, True])
def test_an_error_in_a_cell_is_1(after: bool, tmp_path: Path) -> None:
    """Before the outcome or behind it."""
    outputs = [failed(), shown(Outcome(0))]
    assert exit_code(notebook(tmp_path / "a.ipynb", *(reversed(outputs) if after else outputs))) == 1


def test_a_notebook_that_did_not_come_to_its_end_is_1(tmp_path: Path) -> None:
    """No cell failed, and nothing was concluded: killed in the middle, or never executed."""
    assert exit_code(notebook(tmp_path / "a.ipynb", shown("before"))) == 1


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"no notebook",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"cells": 5}',
        b'{"cells": [{"outputs": 5}]}',
        b'{"cells": ["text"]}',
        b'{"cells": [{"outputs": ["text"]}]}',
    ],
)
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
    }


def test_a_heading_shows_the_last_four_of_the_key(tmp_path: Path) -> None:
    """Neither the rest of the key, nor anything of the secret."""
    account = Account("bDqJFiq9", "7bz1lzh9")
    with Client(account) as client:
        made = heading(client, {"apply": True, "limit": None})
    for text in (repr(made), made._repr_html_()):
        assert "…Fiq9 at https://api.itniotech.com/voice" in text
        assert "bDqJ" not in text
        assert "7bz1" not in text
    assert (made.rows["parameter apply"], made.rows["parameter limit"]) == ("True", "None")
    assert "UTC" in made.rows["began"]
    assert made.rows["versions"].startswith("itnio-nb ")
    assert "papermill" in made.rows["versions"]


def test_a_heading_has_the_sha_256_of_its_files(client: Client, tmp_path: Path) -> None:
    """One that is missing is said to be."""
    content = b"groupName\n" * 150
    (tmp_path / "phones.csv").write_bytes(content)
    rows = heading(client, {}, ["phones.csv", "missing.csv"]).rows
    assert rows["file phones.csv"] == f"SHA-256 {sha256(content).hexdigest()}, 1,500 bytes"
    assert rows["file missing.csv"] == "is not there"


def test_an_empty_file_is_there(client: Client, tmp_path: Path) -> None:
    """With its hash, and 0 bytes."""
    (tmp_path / "empty.csv").touch()
    assert heading(client, {}, ["empty.csv"]).rows["file empty.csv"] == f"SHA-256 {sha256().hexdigest()}, 0 bytes"


def test_a_heading_shows_hostile_parameters_as_text(client: Client) -> None:
    """They come from a command line, or from a scheduler."""
    html = heading(client, {"orders": "<script>x</script>"}, ["<img src=x>.csv"])._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "<img" not in html


def test_what_reconcile_has_seen_is_a_proof(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Unknown when the run ended, found by looking since: nothing is left to do."""
    sandbox.faults = "none,drop-after,query:none,query:-18-before*30"
    plan = make_plan(many_orders(2), client, ledger)
    run = submit_plan(plan, client, ledger, workers=1).wait()
    assert runbook_outcome(plan, run).code == 5
    sandbox.faults = None
    report = reconcile(client, ledger)
    assert runbook_outcome(plan, run).code == 5
    assert runbook_outcome(plan, run, report).code == 0
