"""`itnio-nb ledger copy` and `backup` as programs: killed at any point and started again; `run --join`."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import sqlalchemy as sa

from itnio_nb import Client, Ledger, Sandbox, make_plan, submit_plan
from itnio_nb.ledger.schema.tables import receipts
from tests.support.factories import Gate, group, many_orders, orders_frame, sent, until
from tests.support.ledgers import open_run
from tests.support.postgres import new_database
from tests.support.processes import COMMAND, read_line, run, settings_of, start, start_python, tell

GROUPS, TRIES = 3000, 20


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A ledger whose copy takes several pages."""
    with Ledger(tmp_path / "large.sqlite") as ledger:
        number = open_run(ledger, GROUPS)
        known = {"run_id": number, "state": "refused", "status": "-3", "reason": "as it was told", "advice": ""}
        rows = [known | {"group_id": at + 1, "position": at, "at": "2026-11-28T00:00:00.000Z"} for at in range(GROUPS)]
        with ledger.database.transaction(write=True) as connection:
            for _ in range(TRIES):
                connection.execute(receipts.insert(), rows)
    return ledger.path


@pytest.mark.parametrize("kind", ["file", "server"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_copy_that_is_killed_goes_on(large: Path, kind: str, seed: int) -> None:
    """At points of its bar that chance has chosen; at the end every receipt is there once, and that is said."""
    chance = random.Random(seed)
    with new_database() if kind == "server" else nullcontext("copy.sqlite") as target:
        for _ in range(4):
            process = start([*COMMAND, "ledger", "copy", large, target], {"ITNIO_PROGRESS": "text"})
            assert process.stderr is not None
            wanted = chance.randrange(50, 2500)  # characters of the bar
            while wanted > 0 and (shown := process.stderr.read(50)):
                wanted -= len(shown)
            process.kill()
            process.communicate()
        done = run("ledger", "copy", str(large), target)
        assert (done.returncode, done.stderr) == (0, "")
        words = f"Copied: 1 run, {GROUPS * TRIES:,} receipts of {GROUPS:,} groups. Compared: all equal."
        assert done.stdout.startswith(words), done.stdout
        with Ledger(large) as ours, Ledger(target) as theirs:
            assert ours.history.equals(theirs.history)
            assert ours.table.equals(theirs.table)


def test_a_backup_that_is_killed_leaves_no_half_file(large: Path) -> None:
    """The file is whole, or not there; nothing of what was killed stands in the way of the next."""
    process = start([*COMMAND, "ledger", "backup", large, "kept.sqlite"], {"ITNIO_PROGRESS": "text"})
    assert process.stderr is not None
    process.stderr.read(20)
    process.kill()
    process.communicate()
    done = run("ledger", "backup", str(large), "kept.sqlite", *(["--replace"] if Path("kept.sqlite").exists() else []))
    assert done.returncode == 0, done.stderr
    words = f"Backup: 1 run, {GROUPS * TRIES:,} receipts of {GROUPS:,} groups, in kept.sqlite ("
    assert done.stdout.startswith(words), done.stdout


def test_errors_are_words_and_exit_1(large: Path) -> None:
    """No ledger there, onto itself, something else; the ledger of ITNIO_LEDGER is the one that is kept."""
    done = run("ledger", "copy", "none.sqlite", "new.sqlite")
    assert (done.returncode, done.stderr) == (1, "Error: There is no ledger none.sqlite: check the name.\n")
    assert not Path("none.sqlite").exists()
    done = run("ledger", "copy", str(large), str(large))
    assert (done.returncode, "is that ledger itself" in done.stderr) == (1, True)
    done = run("ledger", "backup", "kept.sqlite")
    assert (done.returncode, done.stderr.startswith("Error: There is no ledger ")) == (1, True)
    done = run("ledger", "backup", "kept.sqlite", settings={"ITNIO_LEDGER": str(large)})
    assert done.returncode == 0, done.stderr
    done = run("ledger", "copy", "postgresql://nobody:s3cret@127.0.0.1:1/none", "new.sqlite")
    assert (done.returncode, "s3cret" in done.stderr + done.stdout) == (1, False)


JOINED = """
import sys
from itnio_nb import open_workspace
with open_workspace() as ws:
    run = ws.resume()
    print(run.name, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The ledger of a configured sandbox: the file of this folder, or the server that is named for it."""
    with new_database() if request.param == "server" else nullcontext("results/ledger.sqlite") as address:
        if request.param == "server":
            monkeypatch.setenv("ITNIO_LEDGER", address)
        yield address


@pytest.fixture
def begun(sandbox: Sandbox, client: Client, place: str) -> Iterator[str]:
    """The name of a run of 40 groups, of which few were sent."""
    Path("results").mkdir(exist_ok=True)
    with Ledger(place) as ledger:
        plan, gate = make_plan(many_orders(40), client, ledger), Gate()
        sandbox.faults = gate
        at_work = submit_plan(plan, client, ledger, workers=2)
        at_work.stop(wait=False)
        gate.opened.set()
        at_work.join()
        yield at_work.name


def test_join_goes_on_with_a_run(sandbox: Sandbox, begun: str) -> None:
    """From the ledger alone, on the terms of the run; its result files; then the command that hands over."""
    done = run("run", "--join", begun, settings=settings_of(sandbox))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("SANDBOX at ")
    assert lines[1].startswith("Done. Groups: 40 created (120 phones)")
    assert lines[-3] == "Exit code 0: nothing is left to do: all that was asked for is there."
    assert lines[-1].endswith(f"credentials --run {begun}")
    assert sent(sandbox) == 40
    assert Path(f"results/{begun}-created.csv").exists()
    again = run("run", "--join", begun, settings=settings_of(sandbox))
    assert again.returncode == 0
    assert again.stdout.splitlines()[-2:] == [f"Run {begun} is finished: nothing is sent.", lines[-3]]
    assert sent(sandbox) == 40


def test_join_of_a_finished_run_tells_what_came_of_it(sandbox: Sandbox, client: Client, place: str) -> None:
    """A group is there otherwise, or there was none that is valid: the exit code is as when the run had ended."""
    plans = [make_plan(many_orders(1)), make_plan(orders_frame(("ab",)))]
    client.create_phones(group("group-0", "phone-0", 5))
    with Ledger(place) as ledger:
        names = [submit_plan(plan, client, ledger).wait().name for plan in plans]
    for name, words, code in zip(names, ["1 existed", "1 of 1 row left out"], [4, 3], strict=True):
        done = run("run", "--join", name, settings=settings_of(sandbox))
        assert done.returncode == code, done.stdout + done.stderr
        assert words in done.stdout
        assert f"\nRun {name} is finished: nothing is sent.\nExit code {code}: " in done.stdout


def test_join_beside_others(sandbox: Sandbox, begun: str) -> None:
    """Each group is sent once by one of them, whoever it is."""
    sandbox.faults = gate = Gate()  # until both are at work
    joined = start([*COMMAND, "run", "--join", begun], settings_of(sandbox))
    other = start_python(JOINED, sandbox=sandbox)
    assert read_line(other) == begun
    gate.opened.set()
    out, _ = joined.communicate(timeout=120)
    assert joined.returncode == 0, out
    tell(other, "over")
    other.communicate(timeout=120)
    assert sent(sandbox) == 40


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_an_interrupt_leaves_the_run_to_others(sandbox: Sandbox, begun: str, place: str) -> None:
    """What is under way is recorded; the run is not stopped; exit code 6, and the command that goes on."""
    before, gate = sent(sandbox), Gate()
    sandbox.faults = gate
    process = start([*COMMAND, "run", "--join", begun, "--workers", "1"], settings_of(sandbox))
    with Ledger(place) as ledger:
        number = ledger.run_store
        until(lambda: any(ledger.run_control.claim_owners(one) for one in _runs(number)), 60)
        process.terminate()
        assert process.stdout is not None
        while "Interrupt received" not in (line := process.stdout.readline()):
            assert line
        gate.opened.set()
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 6, out
    lines = out.splitlines()
    assert lines[-2:] == ["Join again: it sends what is missing.", f"{lines[-1].split(' run ')[0]} run --join {begun}"]
    assert before < sent(sandbox) < 40


def _runs(store: object) -> list[int]:
    with store.database.transaction() as connection:  # type: ignore[attr-defined] # a run store
        return list(connection.execute(sa.text("SELECT id FROM runs")).scalars())


def test_a_run_that_there_is_not(sandbox: Sandbox, begun: str) -> None:
    """The unfinished ones are listed; what belongs to a runbook cannot be given; both are exit code 1."""
    done = run("run", "--join", "nonsense", settings=settings_of(sandbox))
    assert (done.returncode, f"Unfinished: {begun}." in done.stderr) == (1, True)
    for words in (["--orders", "a.csv"], ["--limit", "3"], ["06-audit"], ["-p", "a", "1"], ["--column", "a=b"]):
        done = run("run", "--join", begun, *words, settings=settings_of(sandbox))
        assert (done.returncode, "leave the runbook's own out" in done.stderr) == (1, True)
    assert sent(sandbox) < 40
