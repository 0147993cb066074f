"""The rate that was set for a run, against the sandbox's log: whoever goes on with it, on whatever page or process."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from contextlib import closing

import pytest

from itnio_nb import BatchForm, Client, Ledger, Sandbox
from tests.support.agreement import creations
from tests.support.factories import many_orders, sent, until
from tests.support.forms import Batch, wait_for_poll
from tests.support.processes import read_line, start_python, tell

RATE, WORKERS, GROUPS = 20, 3, 90
PAGE = """
import sys
from itnio_nb import Account, BatchForm, Client, Ledger
from tests.support.forms import Batch, click, until
form = BatchForm(Client(Account.from_env()), Ledger())
form.confirm.rate.value, form.confirm.workers.value = "", 64
print("ready", flush=True)
sys.stdin.readline()
form.result.resume.submit.click()
until(lambda: form.monitor.going or form.result.left is None, 60)
form.wait(120)
until(lambda: not form.monitor.going, 120)
print(Batch(form).sizes, flush=True)
"""


def most_in_a_second(times: list[float]) -> int:
    """The most requests that began in any second."""
    times = sorted(times)
    return max(bisect_right(times, at + 1) - first for first, at in enumerate(times))


def begin_and_stop(batch: Batch, sandbox: Sandbox) -> float:
    """Submit at the rate, and stop after some groups; return when the last of its requests was served."""
    form = batch.form
    batch.plan(many_orders(GROUPS, 1))
    form.confirm.rate.value, form.confirm.workers.value = str(RATE), WORKERS
    batch.confirm()
    planned = len(sandbox.log)
    form.confirm.submit.click()
    until(lambda: sent(sandbox) >= 10)
    form.monitor.stop.click()
    wait_for_poll(form)
    assert batch.sizes["Not sent"] > 20
    assert most_in_a_second([one.at for one in list(sandbox.log)[planned:]]) <= RATE + 1
    return max(one.at for one in sandbox.log)


def require_rate(sandbox: Sandbox, since: float) -> None:
    """Require that nothing was sent faster than the rate since then, listings included, and each group once."""
    assert most_in_a_second([one.at for one in sandbox.log if one.at > since]) <= RATE + 1
    assert creations(sandbox) == Counter({f"group-{at}": 1 for at in range(GROUPS)})


@pytest.mark.parametrize("page", ["the same", "another"])
def test_go_on_keeps_the_rate(page: str, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Whatever stands in the fields of step 3 by then."""
    sandbox.latency = 0.02
    with closing(BatchForm(client, ledger)) as first:
        stopped = begin_and_stop(Batch(first), sandbox)
        with closing(BatchForm(client, ledger)) as other:
            form = first if page == "the same" else other
            form.confirm.rate.value, form.confirm.workers.value = "", 64
            form.result.resume.submit.click()
            form.wait(60)
            assert Batch(form).sizes == {"Created": GROUPS}
    require_rate(sandbox, stopped)
    assert tuple(ledger.run_control.terms(1)) == (WORKERS, RATE, GROUPS)


def test_try_again_keeps_the_rate(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What was refused is sent as slowly as the rest."""
    sandbox.cap = 30
    with closing(BatchForm(client, ledger)) as form:
        batch = Batch(form)
        batch.plan(many_orders(GROUPS, 1))
        form.confirm.rate.value, form.confirm.workers.value = str(RATE), WORKERS
        batch.submit()
        assert batch.sizes["Refused"] > 0
        sandbox.cap, refused = None, max(one.at for one in sandbox.log)
        form.confirm.rate.value, form.confirm.workers.value = "", 64
        form.result.resume.typed.value = str(GROUPS - 30)
        form.result.resume.submit.click()
        form.wait(60)
        assert batch.sizes == {"Created": GROUPS}
    require_rate(sandbox, refused)


def test_pages_in_several_processes_keep_it_together(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Three that go on at once send no faster than one."""
    sandbox.latency = 0.02
    with closing(BatchForm(client, ledger)) as form:
        stopped = begin_and_stop(Batch(form), sandbox)
    processes = [start_python(PAGE, sandbox=sandbox) for _ in range(3)]
    assert [read_line(process) for process in processes] == ["ready"] * 3
    for process in processes:
        tell(process, "go on")
    told = [process.communicate(timeout=120) for process in processes]
    assert [out.strip() for out, _ in told] == [str({"Created": GROUPS})] * 3, told
    require_rate(sandbox, stopped)
