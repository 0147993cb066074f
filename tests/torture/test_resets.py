"""Resets in a process that is killed: each phone is reset at least once, and what is handed over works."""

from __future__ import annotations

import pandas as pd

from itnio_nb import Client, Ledger, Sandbox, hand_over, make_plan, reset_passwords, submit_plan
from tests.support.factories import APP, many_orders, until
from tests.support.processes import read_line, start_python

GROUPS = [f"group-{at}" for at in range(10)]
RESET = f"""
from itnio_nb import Account, Client, Ledger, reset_passwords
client, ledger = Client(Account.from_env()), Ledger()
run = reset_passwords(client, ledger, {APP!r}, {GROUPS!r}, workers=8)
print("started", flush=True)
run.wait()
"""


def answered(sandbox: Sandbox) -> int:
    return sandbox.served["sipReset", "0"]


def test_500_phones_killed_and_resumed(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What was under way is unknown, what was recorded stands, the rest is planned; the same words go on."""
    run = submit_plan(make_plan(many_orders(10, 50), client, ledger), client, ledger).wait()
    before = sandbox.phones["password"].tolist()
    path = hand_over(client, run, "results")[APP]
    sandbox.latency = 0.02
    process = start_python(RESET, sandbox=sandbox)
    assert read_line(process) == "started"
    until(lambda: answered(sandbox) >= 200, 60)
    process.kill()
    process.communicate()
    sandbox.latency = 0
    states = ledger.resets["state"].value_counts().to_dict()
    assert states["unknown"] in range(1, 3 * 8 + 1)
    assert states["reset"] + states["unknown"] + states["planned"] == 500
    dry = reset_passwords(client, ledger, APP, GROUPS, apply=False)
    assert dry.counts == states
    resumed = reset_passwords(client, ledger, APP, GROUPS).wait()
    assert resumed.counts == {"reset": 500}
    assert not set(before) & set(sandbox.phones["password"])
    asked = pd.Series([one.group for one in sandbox.log if one.endpoint == "sipReset"]).value_counts()
    assert (len(asked), asked.max() <= 2, (asked == 2).sum() <= states["unknown"]) == (500, True, True)
    changed = hand_over(client, run, "results")[APP]
    assert changed != path
    phones = pd.read_excel(changed, dtype=str, engine="calamine").set_index("account")["password"]
    assert phones.to_dict() == sandbox.phones.set_index("account")["password"].to_dict()


def test_a_second_process_is_refused(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """While the first one works; once it is killed, it goes on at once."""
    submit_plan(make_plan(many_orders(10, 5), client, ledger), client, ledger).wait()
    sandbox.latency = 0.1
    process = start_python(RESET.replace("workers=8", "workers=1"), sandbox=sandbox)
    assert read_line(process) == "started"
    second = start_python(RESET, sandbox=sandbox)
    _, errors = second.communicate(timeout=60)
    assert "InputError: Nothing was sent: another run resets, or has just reset, phones of these groups." in errors
    process.kill()
    process.communicate()
    sandbox.latency = 0
    assert reset_passwords(client, ledger, APP, GROUPS).wait().counts == {"reset": 50}
