"""`itnio-nb run` as people and schedulers meet it: each exit code, a signal, a kill, records without secrets."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import Client, Ledger, PhoneGroup, Sandbox, exit_code, make_plan
from tests.commands.test_cli import COMMAND
from tests.support.browser import a_page
from tests.support.factories import ROOT, many_orders, until

pytestmark = pytest.mark.slow

PHONES = ROOT / "notebooks" / "data" / "phones.xlsx"
CANARY = "canary-7Kd2'\"äÖ\\q"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(latency=0.02) as running:
        yield running


def settings_of(sandbox: Sandbox) -> dict[str, str]:
    account = sandbox.account
    secret = account.api_secret.reveal()
    return {"ITNIO_BASE_URL": account.base_url, "ITNIO_API_KEY": account.api_key, "ITNIO_API_SECRET": secret}


def run(sandbox: Sandbox | None, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **(settings_of(sandbox) if sandbox else {})}
    return subprocess.run(
        [*COMMAND, "run", *words], env=environment, capture_output=True, text=True, timeout=180, check=False
    )


def orders(number: int, quantity: int = 2) -> Path:
    path = Path("orders.csv")
    many_orders(number, quantity).to_csv(path, index=False)
    return path


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.splitlines()[-1]


def the_record(done: subprocess.CompletedProcess[str]) -> Path:
    found = re.search(r"^Record: (.+)$", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return Path(found[1])


def sent(sandbox: Sandbox) -> Counter[str]:
    return Counter(entry.group for entry in sandbox.log if entry.endpoint == "sipAdd" and entry.status == "0")


def test_a_strangers_first_evening() -> None:
    """Dry: exit 2 and the plan. Applied: 3, since some rows are invalid. Again: nothing is sent. No account needed."""
    dry = run(None, "--orders", str(PHONES))
    assert dry.returncode == 2, dry.stderr
    assert "Plan: 43 groups to create (868 phones), 0 already exist, 4 rows invalid, 0 in doubt." in dry.stdout
    assert last_line(dry) == f"itnio-nb run --orders {PHONES} --apply"
    applied = run(None, *shlex.split(last_line(dry))[2:])
    assert applied.returncode == 3, applied.stderr
    assert "Done. Groups: 43 created (868 phones)" in applied.stdout
    assert "Verified: 868 of 868 phones." in applied.stdout
    again = run(None, "--orders", str(PHONES), "--apply")
    assert again.returncode == 3
    assert "Nothing was sent: all 43 groups exist already." in again.stdout
    for done in (dry, applied, again):
        assert exit_code(the_record(done) / "runbook.ipynb") == done.returncode


def test_the_report_opens_offline() -> None:
    """One page, no code, no script, no other host; the plan and the result are in it."""
    done = run(None, "--orders", str(PHONES), "--apply")
    page_file = (the_record(done) / "runbook.html").resolve()
    with a_page() as (page, wrong):
        page.goto(page_file.as_uri())
        page.get_by_text("Record of a run").wait_for()
        assert page.get_by_text("SHA-256").count() == 1
        assert page.get_by_text("Done. Groups: 43 created (868 phones)").count() >= 1
        assert page.locator("img").count() == 2
        assert page.locator("script, .input_area").count() == 0
        assert "submit_plan" not in page.inner_text("body")
    assert [told for told in wrong if not told.startswith("file:")] == []


def test_all_that_was_asked_for_is_exit_0(sandbox: Sandbox) -> None:
    """Created and verified; and again, with nothing left to do."""
    first = run(sandbox, "--orders", str(orders(3)), "--apply")
    assert first.returncode == 0, first.stdout
    assert last_line(first) == "itnio-nb run 06-audit"
    again = run(sandbox, "--orders", "orders.csv")
    assert again.returncode == 0
    assert sent(sandbox).total() == 3


@pytest.mark.parametrize(
    "words",
    [
        ["--bogus"],
        ["--orders"],
        ["--orders", "no-such.xlsx"],
        ["--orders", "orders.csv", "-p", "nonsense", "1"],
        ["no-such-notebook"],
        ["orders.csv"],
        ["--orders", "orders.csv", "--limit", "0"],
        ["--plan", "orders.csv", "--apply"],
        ["--orders", "orders.csv", "--apply", "--confirm", "7"],
    ],
    ids=lambda words: " ".join(words),
)
def test_what_cannot_run_is_exit_1(words: list[str], sandbox: Sandbox) -> None:
    """Wrong usage included; nothing is sent, and no traceback is shown."""
    orders(3)
    done = run(sandbox, *words)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert sent(sandbox).total() == 0


def test_half_an_account_is_exit_1() -> None:
    """Never a sandbox."""
    environment = {**os.environ, "ITNIO_API_KEY": "key"}
    done = subprocess.run([*COMMAND, "run"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ITNIO_API_SECRET is not set" in done.stderr


def test_refused_groups_are_exit_4() -> None:
    """The application is full after the second group; the third is refused, and said with advice."""
    with Sandbox(cap=4) as sandbox:
        done = run(sandbox, "--orders", str(orders(3)), "--apply", "--workers", "1")
    assert done.returncode == 4, done.stdout
    assert "Application full" in done.stdout


def test_unknown_groups_are_exit_5() -> None:
    """An answer was lost, and the account does not answer when it is looked at."""
    with Sandbox(faults="drop-after, query:none, query:-18-before*400") as sandbox:
        done = run(sandbox, "--orders", str(orders(1)), "--apply")
    assert done.returncode == 5, done.stdout
    assert last_line(done) == "itnio-nb run --orders orders.csv --apply"


def started(sandbox: Sandbox, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **settings_of(sandbox)}
    return subprocess.Popen(
        [*COMMAND, "run", *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_cleanly(number: signal.Signals, sandbox: Sandbox) -> None:
    """Exit 6: what is under way is finished and recorded, the record tells the truth; run again, it goes on."""
    sandbox.latency = 0.1
    working = started(sandbox, "--orders", str(orders(150)), "--apply")
    until(lambda: sent(sandbox).total() >= 10, 60)
    working.send_signal(number)
    out, err = working.communicate(timeout=60)
    assert working.returncode == 6, out + err
    stopped = sent(sandbox).total()
    assert 10 <= stopped < 150
    done = subprocess.CompletedProcess([], 6, out, err)
    assert exit_code(the_record(done) / "runbook.ipynb") == 6
    assert f"Stopped. Groups: {stopped} created" in out
    again = run(sandbox, *shlex.split(last_line(done))[2:])
    assert again.returncode == 0, again.stdout
    assert sent(sandbox).keys() == {f"group-{number}" for number in range(150)}
    assert set(sent(sandbox).values()) == {1}


def test_a_kill_loses_nothing(sandbox: Sandbox) -> None:
    """Started again with the line that it printed, everything is created once; the record that was left is kept."""
    sandbox.latency = 0.1
    working = started(sandbox, "--orders", str(orders(150)), "--apply")
    until(lambda: sent(sandbox).total() >= 10, 60)
    assert working.stdout is not None
    printed = next(line for line in working.stdout if line.startswith("Should this be cut off"))
    working.kill()
    working.communicate()
    [left] = Path("records").iterdir()
    assert left.name.startswith(".private-")
    assert left.stat().st_mode & 0o777 == 0o700
    again = run(sandbox, *shlex.split(printed.split(": ", 1)[1])[2:])
    assert again.returncode == 0, again.stdout
    assert "A record that was left behind: records/" in again.stdout
    assert not [path for path in Path("records").iterdir() if path.name.startswith(".")]
    assert len(sent(sandbox)) == 150
    assert set(sent(sandbox).values()) == {1}


def test_a_plan_is_a_promise(sandbox: Sandbox, ledger: Ledger) -> None:
    """It is executed exactly; one that has become stale is refused with the differences."""
    with Client(sandbox.account) as client:
        make_plan(many_orders(3), client, ledger).first(2).save("plan.json")
        make_plan(many_orders(3), client, ledger).save("all.json")
        done = run(sandbox, "--plan", "plan.json", "--apply")
        assert done.returncode == 0, done.stdout
        assert set(sent(sandbox)) == {"group-0", "group-1"}
        stale = run(sandbox, "--plan", "all.json", "--apply")
    assert stale.returncode == 1
    assert "The saved plan is stale" in stale.stdout
    assert "group-0: create → exists" in stale.stdout
    assert sent(sandbox).total() == 2


def test_a_trial_and_parameters(sandbox: Sandbox) -> None:
    """`--limit` sends the first groups only; other notebooks take their own parameters."""
    trial = run(sandbox, "--orders", str(orders(5)), "--apply", "--limit", "2")
    assert trial.returncode == 0, trial.stdout
    assert set(sent(sandbox)) == {"group-0", "group-1"}
    check = run(sandbox, "05-go-live", "-p", "trial", "true", "-p", "trial_group", "porch-phone")
    assert check.returncode == 0, check.stdout
    assert "porch-phone" in sent(sandbox)
    assert run(sandbox, "06-audit").returncode == 0


def files_below(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def test_no_file_holds_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A canary as the account's secret, everything run: neither it nor a password is in any file."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    with Sandbox(api_secret=CANARY.encode("ascii", "ignore").decode()) as sandbox:
        secret = sandbox.account.api_secret.reveal()
        done = [run(sandbox, "--orders", str(orders(5)), "--apply")]
        done += [run(sandbox, "05-go-live", "-p", "trial", "true"), run(sandbox, "06-audit")]
        passwords = set(sandbox.phones["password"])
    assert {each.returncode for each in done} == {0}, done[0].stdout
    files = files_below(tmp_path)
    assert len(files) >= 10
    told = "".join(each.stdout + each.stderr for each in done).encode()
    hidden = re.compile("|".join(map(re.escape, {*passwords, secret, json.dumps(secret)[1:-1]})).encode())
    assert not hidden.search(told)
    assert [path for path in files if hidden.search(path.read_bytes())] == []


def test_a_planted_secret_withholds_the_record(sandbox: Sandbox) -> None:
    """It stays in the private folder, and the message says which cell."""
    notebook = {
        "cells": [
            {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None, "source": source}
            for source in (
                "from itnio_nb import Account, Client, conclude, make_plan",
                "import pandas as pd",
                "print('the secret is', Account.from_env().api_secret.reveal())",
            )
        ],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    Path("leaky.ipynb").write_text(json.dumps(notebook))
    done = run(sandbox, "leaky.ipynb")
    assert done.returncode == 1, done.stdout
    assert "The record is withheld: the API secret of …" in done.stdout
    assert "stands in cell 4 of leaky.ipynb" in done.stdout
    [private] = Path("records").iterdir()
    assert private.name.startswith(".private-")
    assert private.stat().st_mode & 0o777 == 0o700


def test_a_password_withholds_the_record(sandbox: Sandbox) -> None:
    """Those of the phones that the runbook was about."""
    source = "from itnio_nb import Account, Client, conclude, make_plan, read_orders\nimport pandas as pd\n"
    source += "client = Client(Account.from_env())\nprint(client.list_phones('4luaKsL2', reveal=True))\n"
    source += "conclude(make_plan(read_orders('orders.csv'), client))"
    cell: dict[str, object] = {"cell_type": "code", "id": "a", "metadata": {}, "source": source}
    cell |= {"outputs": [], "execution_count": None}
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    Path("own.ipynb").write_text(json.dumps({"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    orders(1)
    with Client(sandbox.account) as client:
        client.create_phones(PhoneGroup("group-0", "phone-0", 2, "861000000", "4luaKsL2"))
    done = run(sandbox, "own.ipynb")
    assert "The record is withheld: the password of a phone stands in cell 2 of own.ipynb" in done.stdout
    assert isinstance(sandbox.phones, pd.DataFrame)
