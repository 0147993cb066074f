"""`itnio-nb run` as people and schedulers meet it: the first evening, signals, a kill, records without secrets.

What each exit code means is tested without starting a kernel, in tests/unit/runbooks.
"""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pandas as pd

from itnio_nb import Sandbox, exit_code
from itnio_nb.runbooks.runner import save_notebook
from tests.support.agreement import creations
from tests.support.browser import a_page
from tests.support.factories import ROOT, many_orders, until
from tests.support.kernel import notebook_of
from tests.support.processes import COMMAND, run, settings_of, start

PHONES = ROOT / "notebooks" / "data" / "phones.xlsx"
CANARY = "canary-7Kd2'\"\\q"


def orders(number: int) -> str:
    many_orders(number, 2).to_csv("orders.csv", index=False)
    return "orders.csv"


def last_words(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The words of the command that goes on, without `itnio-nb`."""
    return shlex.split(done.stdout.splitlines()[-1])[1:]


def the_record(done: subprocess.CompletedProcess[str]) -> Path:
    [place] = re.findall(r"^Record: (.+)$", done.stdout, re.MULTILINE)
    return Path(place).resolve()


def test_a_strangers_first_evening() -> None:
    """Dry: exit 2 and the plan. Applied: 3, since some rows are invalid. Again: nothing is sent. No account needed.

    The page of the record opens offline: no code, no script, no other host; the plan and the result are in it.
    """
    dry = run("run", "--orders", str(PHONES))
    assert dry.returncode == 2, dry.stderr
    assert "Plan: 43 groups to create (868 phones), 0 already exist, 4 rows invalid, 0 in doubt." in dry.stdout
    assert last_words(dry) == ["run", "--orders", str(PHONES), "--apply", "--confirm", "868"]
    applied = run(*last_words(dry))
    assert applied.returncode == 3, applied.stderr
    assert re.search(r"^Verify: 43 of 43 groups \(created 43, ", applied.stdout, re.MULTILINE)
    assert "Done. Groups: 43 created (868 phones)" in applied.stdout
    assert "Verified: 868 of 868 phones." in applied.stdout
    again = run("run", "--orders", str(PHONES), "--apply")
    assert again.returncode == 3
    assert "Nothing was sent: all 43 groups exist already." in again.stdout
    for done in (dry, applied, again):
        assert exit_code(the_record(done) / "runbook.ipynb") == done.returncode
    with a_page() as (page, wrong):
        page.goto((the_record(applied) / "runbook.html").as_uri())
        page.get_by_text("Record of a run").wait_for()
        assert page.get_by_text("SHA-256").count() == 1
        assert page.get_by_text("Done. Groups: 43 created (868 phones)").count() >= 1
        assert page.locator("img").count() == 1
        assert page.locator("script, .input_area").count() == 0
        assert "submit_plan" not in page.inner_text("body")
    assert [entry for entry in wrong if not entry.startswith("file:")] == []


def stopped(words: list[str], sandbox: Sandbox, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    """Run `itnio-nb` with these words, and send it a signal when it has created some groups."""
    working = start([*COMMAND, *words], settings_of(sandbox))
    assert working.stdout is not None
    printed = []
    for line in working.stdout:
        printed.append(line)
        if line.startswith("Plan: "):
            break
    before = creations(sandbox).total()
    until(lambda: creations(sandbox).total() >= before + 10, 120)
    working.send_signal(number)
    printed += working.stdout  # to the end of the kernel too, which outlives a command that is killed for a moment
    _, err = working.communicate(timeout=120)
    return subprocess.CompletedProcess(words, working.returncode, "".join(printed), err)


def test_whatever_ends_it_the_next_one_goes_on() -> None:
    """A kill leaves a record and the line that goes on; SIGTERM and Ctrl-C stop cleanly: each group is created once.

    Exit 6: what is under way is finished and recorded, and the record tells the truth.
    """
    with Sandbox(latency=0.1) as sandbox:
        killed = stopped(["run", "--orders", orders(300), "--apply"], sandbox, signal.SIGKILL)
        [left] = Path("records").iterdir()
        assert left.name.startswith(".private-")
        assert left.stat().st_mode & 0o777 == 0o700
        [line] = re.findall("^Should this be cut off, this goes on: (.*)$", killed.stdout, re.MULTILINE)
        words = shlex.split(line)[1:]
        for number in (signal.SIGTERM, signal.SIGINT):
            done = stopped(words, sandbox, number)
            assert done.returncode == 6, done.stdout + done.stderr
            assert exit_code(the_record(done) / "runbook.ipynb") == 6
            [numbers] = re.findall(r"^Stopped\. Groups: (\d+) created .*?, (\d+) existed", done.stdout, re.MULTILINE)
            assert sum(map(int, numbers)) == creations(sandbox).total() < 300
            assert ("A record that was left behind: records/" in done.stdout) == (number is signal.SIGTERM)
            assert not [path for path in Path("records").iterdir() if path.name.startswith(".")]
            words = last_words(done)
        sandbox.latency = 0
        again = run(*words, settings=settings_of(sandbox))
        assert again.returncode == 0, again.stdout
        assert creations(sandbox) == {f"group-{number}": 1 for number in range(300)}


def test_no_file_holds_a_secret(tmp_path: Path) -> None:
    """A canary as the account's secret, all notebooks run: neither it nor a password is in any file."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    with Sandbox(api_secret=CANARY) as sandbox:
        settings = settings_of(sandbox) | {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
        done = [run("run", "--orders", orders(5), "--apply", settings=settings)]
        done += [run("run", "05-go-live", settings=settings)]
        done += [run("run", "06-audit", settings=settings)]
        passwords = set(sandbox.phones["password"])
    assert {each.returncode for each in done} == {0}, done[0].stdout
    assert "group-4" in creations(sandbox)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 10
    output = "".join(each.stdout + each.stderr for each in done).encode()
    hidden = re.compile("|".join(map(re.escape, {*passwords, CANARY, json.dumps(CANARY)[1:-1]})).encode())
    assert not hidden.search(output)
    assert [path for path in files if hidden.search(path.read_bytes())] == []


def test_passwords_that_a_cell_prints_are_masked() -> None:
    """On the way to terminal, journal or CI log; and the record is withheld."""
    shows = "print(' '.join(ws.client.list_phones('4luaKsL2', reveal=True)['password']))"
    made = f"ws.submit(ws.plan({orders(3)!r})).wait()"
    cells = ["from itnio_nb import *\nws = open_workspace()", made, shows, "Outcome(0)"]
    save_notebook(notebook_of(*cells), Path("shows.ipynb"))
    with Sandbox() as sandbox:
        done = run("run", "shows.ipynb", settings=settings_of(sandbox))
        passwords = sandbox.phones["password"].tolist()
    assert len(passwords) == 6
    assert " ".join(["********"] * 6) in done.stdout
    assert not [password for password in passwords if password in done.stdout + done.stderr]
    assert "The record is withheld: the password of a phone stands in cell 4 of shows.ipynb" in done.stdout
    assert done.returncode == 1


def test_a_sheet_is_named() -> None:
    """The other one is named with what the command has for it, and the last line keeps the choice."""
    with pd.ExcelWriter("phones.xlsx", engine="xlsxwriter") as book:
        for number, sheet in ((2, "June"), (3, "July of 2026")):
            many_orders(number, 2).to_excel(book, sheet_name=sheet, index=False)
    guessed = run("run", "--orders", "phones.xlsx")
    assert guessed.returncode == 2, guessed.stderr
    assert "Plan: 2 groups to create (4 phones)" in guessed.stdout
    printed = " ".join(guessed.stdout.split())
    assert "is from sheet June; 1 other sheet has orders too: July of 2026" in printed
    named = run("run", "--orders", "phones.xlsx", "--sheet", "July of 2026")
    assert named.returncode == 2, named.stderr
    assert "Plan: 3 groups to create (6 phones)" in named.stdout
    assert "other sheet" not in named.stdout
    assert last_words(named)[:5] == ["run", "--orders", "phones.xlsx", "--sheet", "July of 2026"]
    missing = run("run", "--orders", "phones.xlsx", "--sheet", "May")
    assert missing.returncode == 1
    assert "has no sheet 'May'. Its sheets: June, July of 2026." in missing.stdout + missing.stderr
    many_orders(2).drop(columns="appId").to_csv("orders.csv", index=False)
    lacking = run("run", "--orders", "orders.csv")
    assert "one value for all rows can be given as app_id (--app-id)." in lacking.stdout + lacking.stderr


def test_the_command_after_0_hands_over() -> None:
    """Without an account it finds the sandbox of this folder; an option of the run goes with it."""
    done = run("run", "--orders", orders(2), "--apply", "--results", "there")
    assert done.returncode == 0, done.stdout + done.stderr
    handed = run(*last_words(done))
    [path] = re.findall(r"^Written, for you alone to read: 4 phones of 1 application, in (.+)$", handed.stdout, re.M)
    assert (handed.returncode, Path(path).parent, Path(path).stat().st_mode & 0o777) == (
        0,
        Path("there").absolute(),
        0o600,
    )
    assert run(*last_words(done)).stdout.splitlines()[1].startswith("Nothing was written: ")
