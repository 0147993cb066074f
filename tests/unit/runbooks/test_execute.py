"""Running a runbook: its exit code, its record and the command that goes on, without starting a kernel."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest

from itnio_nb import Client, InputError, Ledger, Sandbox, exit_code, make_plan
from itnio_nb.runbooks.execute import RunbookJob, run_runbook
from itnio_nb.runbooks.records import PendingRecord, public_path
from itnio_nb.runbooks.runner import save_notebook
from itnio_nb.workspace import settings_of
from tests.support.agreement import creations
from tests.support.factories import APP, ROOT, group, many_orders
from tests.support.kernel import InProcessClient, notebook_of

RUNBOOK = ROOT / "notebooks" / "runbook.ipynb"


@dataclass
class Done:
    code: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def record(self) -> Path:
        [line] = [line for line in self.lines if line.startswith("Record: ")]
        return Path(line.removeprefix("Record: "))


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> Run:
    """Run a notebook with parameters on the sandbox; the command is `run` and the notebook's name."""
    monkeypatch.setattr("itnio_nb.runbooks.runner._Client", InProcessClient)
    monkeypatch.setattr("itnio_nb.ledger.charts.Charts.png", b"a picture")  # drawn in tests/unit/ledger
    for name, value in settings_of(sandbox.account).items():
        monkeypatch.setenv(name, value)

    def run(notebook: Path = RUNBOOK, **parameters: Any) -> Done:
        lines: list[str] = []
        job = RunbookJob(notebook, parameters, Path("records"), sandbox.account, ["run", notebook.name])
        code = run_runbook(job, settings_of(sandbox.account), lambda text: lines.append(text))
        return Done(code, lines)

    return run


def orders(number: int, quantity: int = 2) -> str:
    many_orders(number, quantity).to_csv("orders.csv", index=False)
    return "orders.csv"


def own(*sources: str, parameters: str = "") -> Path:
    save_notebook(notebook_of(*sources, parameters=parameters), Path("own.ipynb"))
    return Path("own.ipynb")


def test_dry_and_applied(run: Run, sandbox: Sandbox) -> None:
    """2 and 0: the last line is the command that goes on, the records have these codes."""
    dry = run(orders=orders(3))
    assert (dry.code, dry.lines[-1], creations(sandbox).total()) == (2, "itnio-nb run runbook.ipynb --apply", 0)
    applied = run(orders="orders.csv", apply=True)
    assert (applied.code, applied.lines[-1]) == (0, "itnio-nb run 06-audit"), applied.text
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
    """Nothing is sent; the record is kept as far as it came."""
    done = run(**{"orders": orders(3), "apply": True, **parameters})
    assert (done.code, creations(sandbox).total()) == (1, 0)
    assert "A cell failed with InputError: " in done.text
    assert exit_code(done.record / "runbook.ipynb") == 1


def test_parameters_that_a_notebook_has_not_are_said(run: Run) -> None:
    """Before anything is executed, and no record is made."""
    with pytest.raises(InputError, match=r"own\.ipynb has no parameter nonsense, odd: it has limit, orders\."):
        run(own("1", parameters="orders = 1\nlimit = 2"), nonsense=1, odd=2, limit=3)
    with pytest.raises(InputError, match="has no cell tagged `parameters`: it takes none"):
        run(own("1"), limit=3)
    assert not Path("records").exists()


def test_a_notebook_that_concludes_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """0 where it came to its end, 1 where a cell failed, 6 where a signal had interrupted it."""
    assert run(own("1 + 1")).code == 0
    assert run(own("1 / 0")).code == 1
    assert run(own("raise KeyboardInterrupt")).code == 1
    monkeypatch.setattr("os.kill", lambda *_: signal.default_int_handler(signal.SIGINT, None))
    done = run(own("import signal\nsignal.raise_signal(signal.SIGTERM)"))
    assert (done.code, done.lines[-1]) == (6, "itnio-nb run own.ipynb")


def test_a_plan_is_a_promise(run: Run, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """`limit` sends its first groups only, a trial; it has become stale then, and is refused with the differences."""
    make_plan(many_orders(3), client, ledger).save("plan.json")
    assert run(plan="plan.json", limit=2, apply=True).code == 0
    assert set(creations(sandbox)) == {"group-0", "group-1"}
    stale = run(plan="plan.json", apply=True)
    assert (stale.code, creations(sandbox).total()) == (1, 2)
    assert "The saved plan is stale" in stale.text
    assert "group-0: create → exists" in stale.text


def test_a_planted_secret_withholds_the_record(run: Run, client: Client) -> None:
    """All went well, and the exit code is 1: it stays in the private folder, and the message says which cell.

    A password too, of the phones that the runbook was about.
    """
    leak = "from itnio_nb import Account\nprint('it is', Account.from_env().api_secret.reveal())"
    done = run(own("'clean'", leak))
    assert done.code == 1
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


def test_records_that_were_left_are_published(run: Run) -> None:
    """By the next run, with a page; one that was cut off while it was written stays private."""
    left, cut = PendingRecord(Path("records"), "killed"), PendingRecord(Path("records"), "cut")
    (left.path / "own.ipynb").write_bytes(own("1").read_bytes())
    (cut.path / "own.ipynb").write_text('{"cells": [')
    left.release()
    cut.release()
    done = run(own("1"))
    assert f"A record that was left behind: {public_path(left.path)}" in done.lines
    assert (public_path(left.path) / "own.html").exists()
    assert f"The record cannot be searched (Expecting value: line 1 column 12 (char 11)): {cut.path}." in done.lines
    assert done.lines[-1] == "itnio-nb run 06-audit"
