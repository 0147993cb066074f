"""The life of a run when things go wrong: nothing stays unknown, nothing is made twice, it stops by itself."""

from __future__ import annotations

import re
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from itnio_nb import Account, Client, InputError, Ledger, Sandbox, State, make_plan, reconcile, resume, submit_plan
from itnio_nb.api.models import PhoneGroup, Receipt, now
from itnio_nb.api.signing import signed_headers
from itnio_nb.ledger.claims import SyncResult
from itnio_nb.ledger.run_store import RunStore
from itnio_nb.runs.sending.engine import RunEngine
from tests.support.agreement import creations, require_agreement
from tests.support.factories import APP, group, many_orders, until


def test_every_answer_dropped_after_creating(sandbox: Sandbox, client: Client, ledger: Ledger, tmp_path: Path) -> None:
    """20 groups, and not one answer: each is created once, found, and verified."""
    sandbox.faults = "drop-after=1"
    run = submit_plan(make_plan(many_orders(20), client, ledger), client, ledger).wait(60)
    assert run.summary == (
        "Done. Groups: 20 created (60 phones), 0 existed, 0 refused, 0 unknown, 0 not sent. "
        "Verified: 60 of 60 phones. Settled by looking: 20 created."
    )
    assert creations(sandbox) == {f"group-{at}": 1 for at in range(20)}
    assert sum(one.endpoint == "sipAdd" for one in sandbox.log) == 20
    require_agreement(run, ledger, sandbox, tmp_path)


def test_a_server_that_creates_nothing_ends_the_run(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """The account answers, and yet nothing comes of 10 + 20 + 40 requests: it gives up, and can be resumed."""
    sandbox.faults = "-18-before=1"
    run = submit_plan(make_plan(many_orders(40), client, ledger), client, ledger).wait(60)
    assert run.counts == {"planned": 40}
    assert "request after request failed (Port program unusual) and nothing was created" in run.summary
    assert 70 <= sum(one.endpoint == "sipAdd" for one in sandbox.log) <= 70 + 3 * 8
    sandbox.faults = None
    assert resume(client, ledger).wait().counts == {"created": 40}


def test_a_pause_is_reported_and_the_run_goes_on(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A bad quarter of an hour: ten failures, a listing, and on it goes."""
    sandbox.faults = "502-after*12,502-before*6"
    run = submit_plan(make_plan(many_orders(40), client, ledger), client, ledger).wait(60)
    assert run.counts == {"created": 40}
    assert "Settled by looking: 12 created, 6 absent and sent again." in run.summary
    first_listing = next(at for at, one in enumerate(sandbox.log) if at > 1 and one.endpoint == "sipQuery")
    assert 10 <= first_listing - 1 <= 10 + 8


def test_a_busy_server_slows_the_whole_run(client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """One answer asks to wait: for so long no worker sends anything; nothing is unknown."""
    times: list[float] = []
    create = client.create_phones

    def busy_once(one: PhoneGroup) -> Receipt:
        times.append(time.monotonic())
        if len(times) == 10:
            return Receipt(State.PLANNED, "", "HTTP 429: the server is busy", "Wait.", now(), 0.3)
        return create(one)

    monkeypatch.setattr(client, "create_phones", busy_once)
    run = submit_plan(make_plan(many_orders(20)), client, ledger, workers=4).wait(30)
    assert run.counts == {"created": 20}
    assert ledger.history["state"].tolist().count("planned") == 1
    assert max(later - earlier for earlier, later in pairwise(times)) > 0.25


def test_a_server_that_asks_for_an_hour_ends_the_run(
    client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it: stopped, with its words."""

    def busy(one: PhoneGroup) -> Receipt:
        words = "HTTP 429: the server is busy and asks to wait 1 h"
        return Receipt(State.PLANNED, "", words, "Wait.", now(), 3600)

    monkeypatch.setattr(client, "create_phones", busy)
    run = submit_plan(make_plan(many_orders(10)), client, ledger).wait(30)
    words = "It stopped itself (HTTP 429: the server is busy and asks to wait 1 h): Submit the plan again, or resume("
    assert words in run.summary
    assert run.counts == {"planned": 10}


def test_the_clock_is_corrected_and_told(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Once, from the server's Date header; what it is off by is in the summary."""
    sandbox.clock_offset = 2470
    run = submit_plan(make_plan(many_orders(20)), client, ledger).wait()
    assert run.counts == {"created": 20}
    assert re.search(r"this machine's clock is 41 min ([5-9]|1[0-5]) s behind the server's\.$", run.summary)
    assert sandbox.served["sipAdd", "-16"] <= 8  # those that were under way
    sandbox.clock_offset = -3600
    other = submit_plan(make_plan(many_orders(3, app_id="other")), client, ledger).wait()
    assert re.search(r"this machine's clock is (1 h( [1-5] s)?|59 min 5\d s) ahead of the server's", other.summary)


@pytest.mark.parametrize("days", [-400, -2, 2, 30, 36_500])
def test_no_server_is_believed_that_it_is_another_day(
    days: int, sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it could have the time of next year signed, and send requests then; the run stops, and says what to do."""
    times: list[int] = []

    def signed(account: Account, timestamp: int) -> dict[str, str]:
        times.append(timestamp)
        return signed_headers(account, timestamp)

    monkeypatch.setattr("itnio_nb.api.transport.signed_headers", signed)
    sandbox.clock_offset = days * 86_400
    run = submit_plan(make_plan(many_orders(20)), client, ledger).wait()
    side = "behind" if days > 0 else "ahead of"
    assert re.search(
        rf"This machine's clock is .* {side} the server's, and of more than a day no server is", run.summary
    )
    assert set(run.counts) == {"planned", "refused"}
    assert sandbox.phones.empty
    assert max(abs(one - time.time()) for one in times) < 60
    sandbox.clock_offset = 23 * 3600
    assert submit_plan(make_plan(many_orders(20)), client, ledger).wait().counts == {"created": 20}


def test_a_group_shown_late_is_created_all_the_same(
    sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer was lost and two listings do not show it: sent again, -20, found: created, by us, once."""
    sandbox.faults = "late"
    create = client.create_phones
    lost = threading.Event()

    def lose_the_first(one: PhoneGroup) -> Receipt:
        receipt = create(one)
        if lost.is_set():
            return receipt
        lost.set()
        return Receipt(State.UNKNOWN, "", "no answer in time", "", receipt.at)

    monkeypatch.setattr(client, "create_phones", lose_the_first)
    run = submit_plan(make_plan(many_orders(1)), client, ledger).wait(30)
    states = [("unknown", ""), ("planned", ""), ("unknown", "-20"), ("created", "-20")]
    assert [*zip(ledger.history["state"], ledger.history["status"], strict=True)] == states
    assert run.counts == {"created": 1}
    assert creations(sandbox) == {"group-0": 1}


def test_absent_groups_are_sent_again_three_times(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Then it is left "not sent", for the operator to resume."""
    sandbox.faults = "drop-before*4"
    run = submit_plan(make_plan(many_orders(1)), client, ledger).wait(30)
    assert run.counts == {"planned": 1}
    assert "Settled by looking: 3 absent and sent again, 1 absent." in run.summary
    assert sum(one.endpoint == "sipAdd" for one in sandbox.log) == 4
    assert resume(client, ledger).wait().counts == {"created": 1}


def test_an_application_that_cannot_be_listed_keeps_no_other_from_being_resolved(
    sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can be known is known."""
    orders = pd.concat([many_orders(1, app_id="gone"), many_orders(1)], ignore_index=True)
    sandbox.faults = "drop-after*2"
    create = client.create_phones

    def then_gone(one: PhoneGroup) -> Receipt:
        receipt = create(one)
        if sandbox.served["sipAdd", "drop-after"] == 2:
            sandbox.app_ids = [APP]
        return receipt

    monkeypatch.setattr(client, "create_phones", then_gone)
    run = submit_plan(make_plan(orders), client, ledger, workers=1).wait(30)
    assert run.table["state"].tolist() == ["unknown", "created"]
    assert "Not verified: The phones of application gone could not be listed" in run.summary


def test_two_runs_in_one_process_share_nothing_but_the_ledger(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Different groups, at once: each sends its own."""
    sandbox.latency = 0.01
    plans = [make_plan(many_orders(8, app_id=app)) for app in ("one-app", "two-app")]
    runs = [submit_plan(plan, client, ledger) for plan in plans]
    for run in runs:
        assert run.wait(30).counts == {"created": 8}
    assert client.create_phones(group("group-1", "phone-1", app_id="one-app")).status == "-20"


def test_who_joins_a_run_claims_elsewhere(
    sandbox: Sandbox, client: Client, ledger: Ledger, ledger_place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that went through the same groups side by side would ask again and again for what the other one holds."""
    held, sync = [0], RunStore.sync

    def counted(store: RunStore, *args: Any, **terms: Any) -> SyncResult:
        found = sync(store, *args, **terms)
        held[0] += len(found.held)
        return found

    monkeypatch.setattr(RunStore, "sync", counted)
    sandbox.latency = 0.05
    run = submit_plan(make_plan(many_orders(200, 1), client, ledger), client, ledger, workers=4)
    with Ledger(ledger_place) as elsewhere, Client(sandbox.account) as other:
        joined = resume(other, elsewhere)
        assert run.wait(60).counts == joined.wait(60).counts == {"created": 200}
    assert held[0] < 100


def test_an_unknown_is_resolved_by_what_was_asked_for_when_it_was_sent(
    sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """Half of 30 was made; a later plan asks for 15 of that name: partial of the run that sent it, never created."""
    plans = [make_plan(many_orders(1, quantity), client, ledger) for quantity in (30, 15)]
    sandbox.faults = "half,query:-18-before*30"
    first = submit_plan(plans[0], client, ledger).wait()
    assert first.counts == {"unknown": 1}
    sandbox.faults = None
    second = submit_plan(plans[1], client, ledger).wait()
    assert (first.counts, second.counts) == ({"partial": 1}, {"exists": 1})
    assert ledger.table[["quantity", "state", "reason"]].to_numpy().tolist() == [
        [30, "partial", "15 of 30 phones are there; the server answered -18: Port program unusual"]
    ]


def test_what_another_run_has_created_is_not_left_in_this_one(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A run that was stopped and whose groups were made by others is finished by resume; nothing is sent."""
    plan = make_plan(many_orders(4), client, ledger)
    sandbox.stop()
    stopped = submit_plan(plan, client, ledger).wait(60)
    assert stopped.counts == {"planned": 4}
    sandbox.start()
    other = pd.concat([many_orders(4), many_orders(5)[4:]], ignore_index=True)
    submit_plan(make_plan(other, client, ledger), client, ledger).wait()
    assert stopped.counts == {"exists": 4}
    assert resume(client, ledger).wait().counts == {"exists": 4}
    assert ledger.runs["finished"].ne("").tolist() == [True, True]
    assert sum(one.endpoint == "sipAdd" for one in sandbox.log) == 5


def test_an_older_run_is_resumed_by_its_name(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """The newest goes first, also if it cannot be resolved; one that was left long ago is never sent unasked."""
    sandbox.latency = 0.05
    first = submit_plan(make_plan(many_orders(10)), client, ledger, workers=1)
    until(lambda: sandbox.served["sipAdd", "0"] >= 2)
    first.stop()
    sandbox.latency = 0
    sandbox.faults = "drop-after,query:-18-before*30"
    submit_plan(make_plan(many_orders(1, app_id="gone")), client, ledger).wait()
    sandbox.faults, sandbox.app_ids = None, [APP]
    assert resume(client, ledger).wait().counts == {"unknown": 1}
    again = resume(client, ledger, run=first.name).wait()
    assert (again.name, again.counts) == (first.name, {"created": 10})
    with pytest.raises(InputError, match=r"no unfinished run '2000'.*Unfinished: \d{8}T\d{6}Z"):
        resume(client, ledger, run="2000")
    assert ledger.runs["finished"].ne("").tolist() == [True, False]


def test_runs_that_share_groups_wait_for_each_other(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What one has claimed and gives back is sent by the other; each group once, and no busy waiting."""
    plans = [make_plan(many_orders(number)) for number in (20, 21)]
    slow = submit_plan(plans[0], client, ledger, rate=1, workers=4)
    until(lambda: len(ledger.table) > 4)
    asked = 0
    exchange = ledger.run_store.sync

    def counted(*args: Any, **what: Any) -> Any:
        nonlocal asked
        asked += 1
        return exchange(*args, **what)

    ledger.run_store.sync = counted  # type: ignore[method-assign] # to see how often
    other = submit_plan(plans[1], client, ledger)
    until(lambda: len(ledger.table) == 21)
    slow.stop()
    other.wait(30)
    assert creations(sandbox) == {f"group-{at}": 1 for at in range(21)}
    assert other.counts["planned"] == 0
    assert asked < 200


def test_a_run_whose_unknowns_were_resolved_by_others_goes_on(
    sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten failures, and a colleague reconciles before the run lists: nothing is left, and that is no error."""
    sandbox.faults = "drop-after=1"
    resolve = RunEngine._resolve

    def after_a_colleague(self: RunEngine, *, tripped: bool) -> Any:
        reconcile(client, ledger)
        return resolve(self, tripped=tripped)

    monkeypatch.setattr(RunEngine, "_resolve", after_a_colleague)
    run = submit_plan(make_plan(many_orders(10)), client, ledger, workers=10).wait()
    assert run.counts == {"created": 10}
