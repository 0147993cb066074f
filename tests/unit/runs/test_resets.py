"""New passwords: each phone that was asked for once, nothing unsaid, and no password anywhere but in the account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from itnio_nb import (
    Account,
    AccountError,
    Client,
    InputError,
    Ledger,
    LedgerError,
    Sandbox,
    ServiceError,
    Workspace,
    make_plan,
    reset_passwords,
    submit_plan,
)
from itnio_nb.api.models import ResetState
from itnio_nb.api.statuses import ApiResponse
from itnio_nb.ledger.database.database import Database
from itnio_nb.ledger.resets import ResetPhone, ResetRequest
from itnio_nb.ledger.schema.actors import this_actor
from itnio_nb.runs.credentials.reset import ResetRun
from tests.support.factories import APP, Gate, group, many_orders, orders_frame, until
from tests.support.ledgers import contents

GROUPS = ["group-0", "group-1"]


@pytest.fixture
def phones(sandbox: Sandbox, client: Client) -> Callable[[], dict[str, str]]:
    """Two groups of three phones each, and one of another application; called, their passwords by account."""
    for at in range(2):
        client.create_phones(group(f"group-{at}", f"phone-{at}"))
    client.create_phones(group("group-0", "phone-0", app_id="other"))
    return lambda: dict(zip(sandbox.phones["account"], sandbox.phones["password"], strict=True))


class ResetGate(Gate):
    """Answers listings, and no reset before it is opened."""

    def draw(self, endpoint: str, subject: str) -> str:
        return super().draw(endpoint, subject) if endpoint == "sipReset" else ""


Phones = Callable[[], dict[str, str]]


def resets(sandbox: Sandbox) -> list[str]:
    """The accounts that were asked to be reset, in order."""
    return [one.group for one in sandbox.log if one.endpoint == "sipReset"]


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [account for account, password in before.items() if after[account] != password]


def test_each_phone_gets_a_new_password(phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Those of the groups that were named, in one application; the account shows what was answered."""
    before = phones()
    run = reset_passwords(client, ledger, APP, GROUPS).wait()
    assert sorted(resets(sandbox)) == changed(before, phones()) == [f"test_{at:03d}" for at in range(1, 7)]
    summary = "Done. Phones: 6 reset, 0 refused, 0 unknown, 0 not sent. The account shows 6 of the 6 new passwords."
    assert run.summary == summary
    assert run.table["run"].unique().tolist() == [run.name]
    told = ledger.resets
    assert told[run.table.columns].to_numpy().tolist() == run.table.to_numpy().tolist()
    assert told[["operator", "machine", "version"]].drop_duplicates().to_numpy().tolist() == [list(this_actor())]
    assert ledger.runs.empty


def test_what_is_asked_for(phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A run's table, the ledger, phone groups, one name; a workspace has it as a method."""
    run = submit_plan(make_plan(many_orders(1, app_id="third"), client, ledger), client, ledger).wait()
    for groups, app_id, number in ((run.table, "third", 3), (ledger, "third", 3), ("group-0", APP, 3)):
        table = reset_passwords(client, ledger, app_id, groups, apply=False).table
        assert table["state"].tolist() == ["planned"] * number
    done = Workspace(client, ledger).reset_passwords(APP, [group("group-1", "phone-1", 50)]).wait()
    assert done.counts == {"reset": 3}
    assert "Fewer phones than were ordered: group-1 (3 of 50)." in done.summary
    assert sorted(resets(sandbox)) == ["test_004", "test_005", "test_006"]


def test_nothing_is_sent_twice_unasked(phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A cell that runs again leaves what was handed over as it is; more groups are the rest; `again` is all of them."""
    reset_passwords(client, ledger, APP, ["group-0"]).wait()
    kept = phones()
    run = reset_passwords(client, ledger, APP, ["group-0"]).wait()
    assert (run.done, run.counts, phones()) == (True, {"reset": 3}, kept)
    assert run.summary.startswith("Nothing was sent: 3 phones reset before. again=True resets them once more.")
    dry = reset_passwords(client, ledger, APP, GROUPS, apply=False)
    assert dry.summary.startswith("Dry run: nothing was sent. 3 phones to reset, 3 reset before.")
    assert reset_passwords(client, ledger, APP, GROUPS).wait().counts == {"reset": 6}
    assert len(resets(sandbox)) == 6
    assert reset_passwords(client, ledger, APP, GROUPS, again=True).wait().counts == {"reset": 6}
    assert len(resets(sandbox)) == 12


def test_runs_that_overlap(phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What another run has reset since is left alone, though the one that is gone on with has it too."""
    sandbox.faults = "reset:-2-before"
    stopped = reset_passwords(client, ledger, APP, GROUPS, workers=1).wait()
    assert stopped.counts == {"refused": 1, "planned": 5}
    reset_passwords(client, ledger, APP, ["group-0"]).wait()
    kept, asked = phones(), len(resets(sandbox))
    dry = reset_passwords(client, ledger, APP, GROUPS, apply=False)
    assert dry.counts == {"reset": 3, "planned": 3}
    done = reset_passwords(client, ledger, APP, GROUPS, confirm=3).wait()
    assert changed(kept, phones()) == sorted(resets(sandbox)[asked:]) == ["test_004", "test_005", "test_006"]
    assert done.summary.startswith("Done. Phones: 6 reset (3 of them before), 0 refused")
    assert ledger.reset_store.left(client.account) == 0


@pytest.mark.parametrize("fault", ["-22-before", "-2-before"])
def test_what_was_not_known_is_known_by_a_new_password_alone(
    fault: str, phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """A request that was refused says nothing of the one before it; a run that was only begun hides nothing."""
    sandbox.faults = "reset:drop-after"
    assert reset_passwords(client, ledger, APP, ["group-0"], workers=1).wait().counts == {"unknown": 1, "reset": 2}
    sandbox.faults = f"reset:{fault}"
    again = reset_passwords(client, ledger, APP, ["group-0"]).wait()
    assert again.counts == {"unknown": 1, "reset": 2}
    assert ledger.reset_store.left(client.account) == 1
    [row] = again.table.query("state == 'unknown'").to_dict("records")
    assert (row["status"], "It is not known" in row["advice"]) == (fault.removesuffix("-before"), True)
    listed = client.list_phones(APP)[["appId", "groupName", "phoneName", "account"]]
    wanted = ResetRequest(client.account, APP, [ResetPhone(*row) for row in listed.itertuples(index=False, name=None)])
    plan = ledger.reset_store.plan(wanted, again=True)
    assert ledger.reset_store.open_run(wanted, plan, "nobody", again=True) is not None
    assert ledger.reset_store.newest(wanted)["state"].tolist().count("unknown") == 1
    sandbox.faults = None
    assert reset_passwords(client, ledger, APP, ["group-0"]).wait().counts == {"reset": 3}


def test_again_is_all_of_them(phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """After a run that was stopped too; a rotation that was stopped goes on with what it has left, asked either way."""
    sandbox.faults = "reset:-2-before"
    reset_passwords(client, ledger, APP, GROUPS, workers=1).wait()
    before = phones()
    assert reset_passwords(client, ledger, APP, GROUPS, again=True).wait().counts == {"reset": 6}
    assert len(changed(before, phones())) == 6
    for again in (True, False):
        sandbox.faults = "reset:none,reset:none,reset:-2-before"
        stopped = reset_passwords(client, ledger, APP, GROUPS, again=True, workers=1).wait()
        assert stopped.counts == {"reset": 2, "refused": 1, "planned": 3}
        kept = phones()
        done = reset_passwords(client, ledger, APP, GROUPS, again=again).wait()
        assert (done.counts, len(changed(kept, phones()))) == ({"reset": 6}, 4)
        assert "Phones: 6 reset (2 of them before)" in done.summary


def test_a_wrong_batch_is_quarantined_as_a_whole(
    phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """Groups that were created in part, or perhaps, are among those of a run's table; which have fewer is said."""
    sandbox.faults = "half,drop-after,drop-before," + ",".join(["query:-18-before"] * 60)
    orders = orders_frame(*((f"batch-{at}", f"batch-{at}", "4") for at in range(4)))
    run = submit_plan(make_plan(orders), client, ledger, workers=1).wait()
    sandbox.faults = None
    assert set(run.table["state"]) == {"unknown", "created"}
    done = reset_passwords(client, ledger, APP, run.table).wait()
    theirs = sandbox.phones[sandbox.phones["groupName"].str.startswith("batch")]
    assert (done.counts, sorted(resets(sandbox))) == ({"reset": 10}, sorted(theirs["account"]))
    assert "Fewer phones than were ordered: batch-0 (2 of 4), batch-2 (0 of 4)." in done.summary


@pytest.mark.parametrize(
    "fault", ["drop-before", "drop-after", "-18-before", "-18-after", "500-after", "html", "-99-after"]
)
def test_without_an_answer_it_is_not_known(
    fault: str, phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """It is said, and not sent again by itself; asked again, this phone alone is."""
    sandbox.faults = f"reset:{fault}"
    run = reset_passwords(client, ledger, APP, GROUPS).wait()
    assert run.counts == {"reset": 5, "unknown": 1}
    assert "Which password works is not known of 1 phone: reset the same phones again." in run.summary
    [row] = run.table.query("state == 'unknown'").to_dict("records")
    assert row["advice"].endswith("Reset the phone again before it is handed over.")
    again = reset_passwords(client, ledger, APP, GROUPS).wait()
    assert again.counts == {"reset": 6}
    assert (again.name, resets(sandbox)[6:]) == (run.name, [row["account"]])


def test_a_phone_that_is_gone_is_refused(phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """It keeps no other; nothing is left to be done, and nothing is unknown."""
    sandbox.faults = "reset:-24-before"
    run = reset_passwords(client, ledger, APP, GROUPS).wait()
    assert run.counts == {"reset": 5, "refused": 1}
    assert "The server answered -24 (Data not existing) for 1 phone." in run.summary
    assert ledger.reset_store.left(client.account) == 0


@pytest.mark.parametrize(("fault", "words"), [("-2", "Address not allowed"), ("-32", "Not known|not known")])
def test_an_answer_that_all_would_get_stops_it(
    fault: str, words: str, phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """Of the run or of the application: what was not sent is not sent, and later it goes on."""
    sandbox.faults = f"reset:{fault}-before*9"
    run = reset_passwords(client, ledger, APP, GROUPS, workers=1).wait()
    assert run.summary.startswith("Stopped. Phones: 0 reset")
    assert "5 not sent" in run.summary
    assert f"It stopped itself (status {fault}, " in run.summary
    sandbox.faults = None
    assert reset_passwords(client, ledger, APP, GROUPS).wait().counts == {"reset": 6}
    assert len(resets(sandbox)) == 7


def test_a_server_that_is_busy_or_gone(phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What certainly was not done is done later, by itself or when it is asked for again."""
    sandbox.faults = "reset:429,reset:503"
    assert reset_passwords(client, ledger, APP, ["group-0"]).wait().counts == {"reset": 3}
    sandbox.faults = "reset:-18-before*99"
    client.create_phones(group("many", "many", 30))
    run = reset_passwords(client, ledger, APP, ["many"], workers=1).wait()
    assert run.counts == {"unknown": 10, "planned": 20}
    assert "request after request failed (Port program unusual). Reset the same phones again to go on." in run.summary


def test_stop_leaves_the_rest_unsent(phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What is under way is finished and recorded; the same words go on with the rest."""
    client.create_phones(group("many", "many", 50))
    sandbox.latency = 0.05
    run = reset_passwords(client, ledger, APP, ["many"], workers=2)
    until(lambda: run.counts["reset"] >= 4)
    run.stop()
    assert set(run.counts) == {"reset", "planned"}
    assert run.summary.startswith("Stopped. Phones: ")
    sandbox.latency = 0
    assert reset_passwords(client, ledger, APP, ["many"]).wait().counts == {"reset": 50}
    assert sorted(resets(sandbox)) == sorted(set(resets(sandbox)))


def test_two_at_once(phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A double click is the same run; phones that another one resets are refused, also some of them."""
    gate = ResetGate()
    sandbox.faults = gate
    try:
        run = reset_passwords(client, ledger, APP, GROUPS)
        assert reset_passwords(client, ledger, APP, GROUPS) is run
        with pytest.raises(InputError, match="another run resets, or has just reset, phones of these groups"):
            reset_passwords(client, ledger, APP, ["group-1"])
    finally:
        gate.opened.set()
    assert run.wait().counts == {"reset": 6}
    assert len(resets(sandbox)) == 6


def test_a_live_account_needs_the_number(phones: Phones, sandbox: Sandbox, ledger: Ledger) -> None:
    """Of all phones, or of those that are left; what does nothing needs none."""
    key, secret = "live-key", "secret"
    sandbox._store.secrets[key] = secret
    with Client(Account(key, secret, sandbox.base_url)) as live:
        live.create_phones(group("sales", "desk", 3))

        def ask(**options: Any) -> ResetRun:
            return reset_passwords(live, ledger, APP, ["sales"], **options)

        with pytest.raises(InputError, match=r"live account, and 3 phones would get new passwords.*confirm=3\."):
            ask()
        for number in (2, 4, True, "3", 3.0):
            with pytest.raises(InputError, match=r"were confirmed"):
                ask(confirm=number)
        assert ask(apply=False).counts == {"planned": 3}
        with pytest.raises(InputError, match="4 were confirmed"):
            ask(apply=False, confirm=4)
        assert resets(sandbox) == []
        sandbox.faults = "reset:drop-after"
        assert ask(confirm=3).wait().counts == {"reset": 2, "unknown": 1}
        with pytest.raises(InputError, match=r"1 phone would get.*confirm=1\."):
            ask()
        assert ask(confirm=3).wait().counts == {"reset": 3}
        assert ask().summary.startswith("Nothing was sent")


@pytest.mark.parametrize(
    ("groups", "options", "words"),
    [
        (["nobody"], {}, r"has no group nobody\. Check the application id"),
        (["group-0", *map(str, range(20))], {}, "and 10 more"),
        ([], {}, "No group was named"),
        (None, {}, "give run.table"),
        (7, {}, "give run.table"),
        (["group-0"], {"apply": "no"}, "apply is True"),
        (["group-0"], {"again": 1}, "again is True"),
        (["group-0"], {"rate": 0}, "requests in a second"),
        (["group-0"], {"workers": 1000}, "at most 64"),
    ],
    ids=str,
)
def test_what_cannot_be_right(
    groups: Any, options: dict[str, Any], words: str, phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """Nothing is sent, and it is said why."""
    with pytest.raises(InputError, match=words):
        reset_passwords(client, ledger, APP, groups, **options)
    assert resets(sandbox) == []
    assert ledger.resets.empty


def test_what_stands_in_the_way(
    phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong credentials, a phone without an account, client and ledger in the wrong order, a disk that is full."""
    with Client(Account(client.account.api_key, "wrong", sandbox.base_url)) as wrong, pytest.raises(AccountError):
        reset_passwords(wrong, ledger, APP, GROUPS)
    with pytest.raises(InputError, match="needs a client and a ledger"):
        reset_passwords(ledger, client, APP, GROUPS)  # type: ignore[arg-type]

    def full(_: Database) -> None:
        raise LedgerError("its disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(type(ledger.database), "require_space", full)
        run = reset_passwords(client, ledger, APP, GROUPS)
        with pytest.raises(LedgerError, match="disk is full"):
            run.wait()
        assert "It failed: its disk is full" in run.summary
    assert resets(sandbox) == []
    assert reset_passwords(client, ledger, APP, GROUPS).wait().counts == {"reset": 6}
    sandbox.edit_phone(APP, "phone-0-1", account="")
    with pytest.raises(ServiceError, match="did not show the account of 1 phone"):
        reset_passwords(client, ledger, APP, GROUPS, again=True)


def test_an_account_that_shows_something_else(phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Somebody has reset one since, or the listing is behind: it is said before the phones are handed over."""
    answer = client.reset_password

    def and_once_more(app_id: str, account: str) -> Any:
        receipt = answer(app_id, account)
        if account == "test_002":
            answer(app_id, account)
        return receipt

    client.reset_password = and_once_more  # type: ignore[method-assign]
    run = reset_passwords(client, ledger, APP, ["group-0"]).wait()
    assert "The account shows 2 of the 3 new passwords. The others were changed again since" in run.summary
    sandbox.faults = "query:none,query:-18-before*20"
    run = reset_passwords(client, ledger, APP, ["group-1"]).wait()
    assert run.counts == {"reset": 3}
    assert "Not verified: " in run.summary


@pytest.mark.parametrize("odd", ["a\0b", "a\ud800b", "\x1b[2J"], ids=ascii)
@pytest.mark.parametrize(("field", "reset_"), [("phoneName", 6), ("account", 5)])
def test_a_listing_with_what_no_text_has(
    field: str, reset_: int, odd: str, phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """Every kind of ledger takes it, as an escape where it must; the other phones are reset."""
    sandbox.edit_phone(APP, "phone-0-1", **{field: odd})
    counts = reset_passwords(client, ledger, APP, GROUPS).wait().counts
    assert counts["reset"] >= reset_
    assert sum(counts.values()) == len(ledger.resets) == 6


def test_no_password_is_kept(phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Not in the ledger, nor in what a run shows; a receipt masks it."""
    receipt = client.reset_password(APP, "test_001")
    assert receipt.state is ResetState.RESET
    assert receipt.password is not None
    assert receipt.password.reveal() == phones()["test_001"]
    run = reset_passwords(client, ledger, APP, GROUPS).wait()
    shown = repr(run) + run._repr_html_() + repr(receipt) + repr(vars(run))
    written = contents(ledger)
    for password in phones().values():
        assert password not in shown
        assert password.encode() not in written


@pytest.mark.parametrize(
    ("data", "state", "reason"),
    [
        (None, "reset", "success"),
        ({}, "reset", "success"),
        ({"account": "test_001", "password": ""}, "reset", "success"),
        ({"account": "test_001", "password": 5}, "reset", "success"),
        ({"account": "test_002", "password": "x"}, "unknown", "the answer is about the phone of another account"),
        ("text", "reset", "success"),
    ],
    ids=str,
)
def test_an_answer_without_the_password(data: object, state: str, reason: str, client: Client) -> None:
    """0 says that there is a new one; which it is, the listing tells. Another phone's tells nothing."""
    client._transport.post = lambda *_: ApiResponse("0", "success", data, None)  # type: ignore[method-assign]
    receipt = client.reset_password(APP, "test_001")
    assert (receipt.state, receipt.reason, receipt.password) == (state, reason, None)


def test_a_pace(phones: Phones, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """At most so many requests in a second, pages included."""
    assert reset_passwords(client, ledger, APP, GROUPS, rate=20).wait().counts == {"reset": 6}
    times = sorted(one.at for one in sandbox.log if one.endpoint == "sipReset")
    assert times[-1] - times[0] >= 5 / 20 - 0.05
