"""A colleague adds phones all the time: nothing that lists refuses to work, and two commands share one run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import Client, Ledger, Sandbox, export_credentials, make_plan, reconcile, submit_plan
from itnio_nb.sandbox.faults import Faults
from tests.support.agreement import creations
from tests.support.factories import APP, group, many_orders
from tests.support.processes import COMMAND, settings_of, start

PHONES = 2000
EVERY = 0.05  # seconds between two groups of the colleague


class OursAlone(Faults):
    """Faults that the colleague's requests do not meet."""

    def draw(self, endpoint: str, subject: str) -> str:
        return super().draw(endpoint, subject) if subject.startswith("round") else ""


@pytest.fixture(params=["oldest first", "newest first"])
def busy(sandbox: Sandbox, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox of 2,000 phones to which a colleague adds a group of 50 every 0.05 s."""
    sandbox.newest_first = request.param == "newest first"
    over, wrong = threading.Event(), list[str]()
    with Client(sandbox.account) as colleague:
        for at in range(PHONES // 50):
            colleague.create_phones(group(f"old-{at}", f"old-phone-{at}", 50))
        sandbox.latency = 0.005

        def add() -> None:
            at = 0
            while not over.wait(EVERY):
                at += 1
                receipt = colleague.create_phones(group(f"colleague-{at}", f"colleague-phone-{at}", 50))
                wrong.extend([receipt.reason] if receipt.status != "0" else [])

        adding = threading.Thread(target=add)
        adding.start()
        yield sandbox
        over.set()
        adding.join()
    assert not wrong


def test_all_that_lists_works_while_somebody_adds_phones(
    busy: Sandbox, client: Client, ledger: Ledger, tmp_path: Path
) -> None:
    """Plan, run with lost answers, reconcile and hand-over, again and again."""
    for time in range(3):
        orders = many_orders(20, 2).replace({"groupName": "group", "phoneName": "phone"}, f"round{time}", regex=True)
        plan = make_plan(orders, client, ledger)
        assert plan.summary == "Plan: 20 groups to create (40 phones), 0 already exist, 0 rows invalid, 0 in doubt."
        busy.faults = OursAlone(["drop-after", "drop-before", "-18-before", "-18-after"])
        run = submit_plan(plan, client, ledger).wait(60)
        assert run.counts == {"created": 20}
        assert "Verified: 40 of 40 phones." in run.summary
        report = reconcile(client, ledger)
        ours = report[report["before"] != ""]
        assert ours["after"].eq("created").all()
        assert ours["advice"].eq("").all()
        path = export_credentials(client, APP, run.table, tmp_path / f"phones-{time}.csv")
        assert len(pd.read_csv(path)) == 40
    assert set(creations(busy).values()) == {1}


@pytest.mark.parametrize("busy", ["oldest first"], indirect=True)
def test_two_commands_at_once_make_one_run(busy: Sandbox, ledger_place: str) -> None:
    """Both end with 0 and the same result; each group is sent once."""
    many_orders(100, 2).to_csv("orders.csv", index=False)
    busy.latency = 0.05
    settings = settings_of(busy)
    words = [*COMMAND, "run", "--orders", "orders.csv", "--apply", "--workers", "4"]
    commands = [start([*words, "--records", f"records-{at}", "--results", f"results-{at}"], settings) for at in (1, 2)]
    outputs = [command.communicate(timeout=120)[0] for command in commands]
    assert [command.returncode for command in commands] == [0, 0], outputs
    [summary] = {line for output in outputs for line in output.splitlines() if line.startswith("Done. ")}
    assert summary.startswith("Done. Groups: 100 created (200 phones), 0 existed, 0 refused, 0 unknown, 0 not sent.")
    assert {name: number for name, number in creations(busy).items() if name.startswith("group-")} == {
        f"group-{at}": 1 for at in range(100)
    }
