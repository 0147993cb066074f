"""Disks that fill up, turn read-only, lose the ledger: nothing is sent unrecorded, and it can be resumed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from itnio_nb import Client, Ledger, LedgerError, Run, Sandbox, make_plan, resume, submit_plan
from itnio_nb.ledger.database.sqlite.file import RESERVE, free_bytes
from tests.support.agreement import requests
from tests.support.factories import many_orders, sent, until
from tests.support.processes import start_python
from tests.support.required import lacking


def mounted(folder: Path, *command: str) -> Iterator[Path]:
    """Mount something on a folder for a test; where that is not allowed, the test is skipped, except in CI."""
    folder.mkdir()
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        lacking(f"mounting a small disk needs root: {done.stderr}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "small", "mount", "-t", "tmpfs", "-o", "size=3m", "none")


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which can be made to fail."""
    image = tmp_path / "image"
    image.write_bytes(b"")
    os.truncate(image, 16 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    yield from mounted(tmp_path / "failing", "mount", "-o", "loop", str(image))


def started(folder: Path, sandbox: Sandbox, client: Client, groups: int = 400) -> tuple[Ledger, Run]:
    """A run that is under way, with its ledger on that disk."""
    sandbox.latency = 0.02
    ledger = Ledger(folder / "ledger.sqlite")
    run = submit_plan(make_plan(many_orders(groups), client, ledger), client, ledger)
    until(lambda: sandbox.served["sipAdd", "0"] >= 40)
    return ledger, run


def test_a_disk_that_fills_up(small_disk: Path, sandbox: Sandbox, client: Client) -> None:
    """It stops sending while there is room to record: every answer is in the ledger, the rest is not sent."""
    ledger, run = started(small_disk, sandbox, client)
    (small_disk / "fill").write_bytes(b"x" * (free_bytes(ledger.path) - RESERVE // 2))
    with pytest.raises(LedgerError, match=r"its disk is full: \d+ KiB are left\): repair the file or its folder"):
        run.wait(60)
    assert run.summary.startswith("Stopped. ")
    assert "It failed: The ledger" in run.summary
    assert run.counts == {"created": sent(sandbox), "planned": 400 - sent(sandbox)}
    assert sorted(ledger.table["groupName"]) == sorted(requests(sandbox))
    (small_disk / "fill").unlink()
    assert resume(client, ledger).wait(60).counts == {"created": 400}
    assert sent(sandbox) == len(requests(sandbox)) == 400
    ledger.close()


def test_a_disk_that_is_full_at_once(small_disk: Path, sandbox: Sandbox, client: Client) -> None:
    """Not even what is under way can be recorded: it stays claimed, becomes unknown, and a listing resolves it."""
    ledger, run = started(small_disk, sandbox, client)
    with (small_disk / "fill").open("wb", buffering=0) as fill, suppress(OSError):
        while fill.write(b"x" * 4096):
            pass
    with pytest.raises(LedgerError):
        run.wait(60)
    (small_disk / "fill").unlink()
    states = ledger.table.set_index("groupName")["state"]
    assert set(requests(sandbox)) <= set(states.index)
    assert set(states) <= {"created", "unknown"}
    assert resume(client, ledger).wait(60).counts == {"created": 400}
    assert sandbox.served["sipAdd", "0"] == 400
    ledger.close()


def test_a_disk_that_turns_read_only(failing_disk: Path, sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    """The run stops; what is on the disk is still the truth, on whatever disk it is copied to."""
    ledger, run = started(failing_disk, sandbox, client)
    subprocess.run(["mount", "-o", "remount,abort", str(failing_disk)], check=True)
    with pytest.raises(LedgerError, match=r"repair the file or its folder, or choose another"):
        run.wait(60)
    assert sent(sandbox) < 400
    ledger.close()
    for name in ("ledger.sqlite", "ledger.sqlite-wal"):
        (tmp_path / name).write_bytes((failing_disk / name).read_bytes())
        (tmp_path / name).chmod(0o600)
    with Ledger(tmp_path / "ledger.sqlite") as rescued:
        assert set(requests(sandbox)) <= set(rescued.table["groupName"])
        assert resume(client, rescued).wait(60).counts == {"created": 400}
    assert sandbox.served["sipAdd", "0"] == 400


def test_a_ledger_that_is_deleted_under_a_run(tmp_path: Path, sandbox: Sandbox, client: Client) -> None:
    """It is noticed at the next claim, before anything more is sent."""
    ledger, run = started(tmp_path, sandbox, client)
    ledger.path.rename(tmp_path / "moved")
    for tail in ("-wal", "-shm"):
        ledger.path.with_name(ledger.path.name + tail).rename(tmp_path / f"moved{tail}")
    before = sent(sandbox)
    with pytest.raises(LedgerError, match="the file was deleted or replaced"):
        run.wait(60)
    assert sent(sandbox) <= before + 3 * 8  # what had been claimed by then
    ledger.close()
    with Ledger(tmp_path / "moved") as found:
        assert set(requests(sandbox)) <= set(found.table["groupName"])
        assert resume(client, found).wait(60).counts == {"created": 400}
    assert sandbox.served["sipAdd", "0"] == 400


QUOTA = """
import resource, sys
from tests.support.factories import many_orders
from itnio_nb import Account, Client, Ledger, LedgerError, make_plan, submit_plan
client, ledger, limit = Client(Account.from_env()), Ledger(), int(sys.argv[1])
plan = make_plan(many_orders(1500, 1), client, ledger)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    print(submit_plan(plan, client, ledger).wait().summary)
except LedgerError as error:
    print(error)
"""


@pytest.mark.sqlite_only("a limit of the file's size")
@pytest.mark.parametrize(("limit", "is_enough"), [(900_000, False), (1_300_000, True)])
def test_a_quota(limit: int, is_enough: bool, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """`ulimit -f`: SQLite's log is truncated when that helps; in the end it stops, with all that was sent recorded."""
    output, errors = start_python(QUOTA, str(limit), sandbox=sandbox).communicate(timeout=120)
    assert errors == ""
    assert ("its disk is full" in output) != is_enough, output
    assert sorted(requests(sandbox)) == sorted(ledger.table["groupName"])
    assert sent(sandbox) == len(requests(sandbox))
    assert (sent(sandbox) == 1500) == is_enough
    if not is_enough:
        assert resume(client, ledger).wait(120).counts == {"created": 1500}
    assert sandbox.served["sipAdd", "0"] == 1500
