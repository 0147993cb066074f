"""Runs: a record has what the run has; waiting, stopping and interrupting; the progress bar."""

from __future__ import annotations

import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from itnio_nb import (
    Client,
    Ledger,
    LedgerError,
    Plan,
    Run,
    Sandbox,
    State,
    make_plan,
    read_orders,
    resume,
    runbook_outcome,
    submit_plan,
)
from itnio_nb.api.models import API_COLUMNS, PhoneGroup, Receipt
from itnio_nb.runs.credentials.hand_over import next_step
from itnio_nb.runs.results import show_html
from itnio_nb.runs.run import RunRecord, newest_run
from itnio_nb.runs.sending.background import PROGRESS_MIME, advance, progress_bar
from itnio_nb.runs.sending.engine import RunEngine
from tests.support.factories import APP, Gate, many_orders, orders_frame, sent, until
from tests.support.ledgers import ACCOUNT, open_run, record

Newest = Callable[[], RunRecord]
HALF = Counter({"created": 3, "unknown": 1, "planned": 4, "sending": 2})


@pytest.fixture
def newest(client: Client, ledger_place: str) -> Iterator[Newest]:
    """A function: the newest run, as a process that has just begun would see it."""
    with ExitStack() as opened:

        def read() -> RunRecord:
            fresh = opened.enter_context(Ledger(ledger_place))
            record = newest_run(fresh, fresh.runs_of(client.account))
            assert record is not None
            return record

        yield read


@pytest.mark.parametrize(
    ("first", "left_out"),
    [(None, 2), (1, 4), (2, 4), (3, 3), (4, 2)],  # the order of 120 phones is three groups: no row of a part of it
)
def test_rows_that_are_left_out_are_told(
    first: int | None, left_out: int, client: Client, ledger: Ledger, newest: Newest, tmp_path: Path
) -> None:
    """Invalid rows, and those of which a trial leaves a group alone: in plan, summary, list of runs, never as asked."""
    frame = orders_frame(("hotline", "hotln", "120"), ("sales", "desk"), ("abc",), ("sales", "other"))
    plan = make_plan(frame, client, ledger)
    plan = plan if first is None else plan.first(first)
    run = submit_plan(plan, client, ledger).wait()
    record = newest()
    for one in (run, record):
        assert (one.rows, one.left_out, one.as_asked) == (4, left_out, False)
        assert one.summary.endswith(f"{left_out} of 4 rows left out.")
    assert plan.left_out == left_out
    assert ledger.runs[["source", "rows", "left_out"]].to_numpy().tolist() == [["table", 4, left_out]]
    assert submit_plan(plan, client, ledger, apply=False).left_out == left_out


@pytest.mark.parametrize("name", ["a\0b.csv", "a\ud800b.csv", "ünï\u202e.csv"], ids=ascii)
def test_a_file_may_have_any_name(name: str, client: Client, ledger: Ledger) -> None:
    """A browser says what it likes: every kind of ledger takes it, with what no text has as escapes."""
    file = BytesIO(many_orders(1).to_csv(index=False).encode())
    file.name = name
    submit_plan(make_plan(read_orders(file), client, ledger), client, ledger).wait()
    shown = name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    assert ledger.runs["source"].tolist() == [shown]


def test_as_asked_is_every_row(client: Client, ledger: Ledger) -> None:
    """Created, or there already with the size that was asked for; one that is there otherwise is not."""
    whole = make_plan(orders_frame(("hotline", "hotln", "60")), client, ledger)
    assert submit_plan(whole, client, ledger).wait().as_asked
    assert not submit_plan(whole, client, ledger, apply=False).as_asked  # as planned, before anything was there
    again = make_plan(orders_frame(("hotline", "hotln", "60")), client, ledger)
    assert submit_plan(again, client, ledger, apply=False).as_asked
    smaller = make_plan(orders_frame(("hotline", "hotln", "30")), client, ledger)
    assert not submit_plan(smaller, client, ledger).wait().as_asked


def test_a_record_has_what_the_run_has(
    sandbox: Sandbox, client: Client, ledger: Ledger, newest: Newest, tmp_path: Path
) -> None:
    """Name, counts, table, summary, orders, result files, and what it shows in a cell; asking sends nothing."""
    sandbox.app_ids = [APP]
    hostile = "<script>x</script>"
    frame = orders_frame(("hotline", "hotln", "120"), (hostile, "desk"), ("other", "line", "3", "861000000", "wrong"))
    frame = pd.concat([frame, orders_frame(("abc",))]).rename(columns={"groupName": "Group Name"})
    plan = make_plan(frame.assign(Site="<b>"))
    run = submit_plan(plan, client, ledger).wait()
    asked = sum(sandbox.served.values())
    record = newest()
    assert record is not run
    assert (record.name, record.counts, record.summary) == (run.name, run.counts, run.summary)
    pd.testing.assert_frame_equal(record.table, run.table)
    assert (repr(record), record._repr_html_()) == (repr(run), run._repr_html_())
    assert repr(run).startswith("Done. Groups: 4 created")
    assert hostile in repr(run)
    assert hostile not in run._repr_html_()
    assert "&lt;script&gt;" in run._repr_html_()
    assert (record.done, record.finished) == (True, True)
    for ours, theirs in zip(record.orders, (plan.orders, plan.findings), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)
    files = [one.write_results(tmp_path / name) for one, name in ((run, "run"), (record, "record"))]
    contents = [{path.name: path.read_bytes() for path in one.values()} for one in files]
    assert contents[0] == contents[1]
    kinds = {"created": ["2", "3"], "existed": [], "refused": ["4"], "unknown": [], "notsent": [], "invalid": ["5"]}
    assert list(contents[0]) == [f"{run.name}-{kind}.csv" for kind in kinds]
    for kind, rows in kinds.items():
        written = pd.read_csv(files[0][kind], dtype=str)
        assert written["itnio_row"].tolist() == rows
        assert written.columns[:7].tolist() == [*frame.columns, "Site", "itnio_row"]
    assert sum(sandbox.served.values()) == asked


def test_its_problems_are_listed_from_where_one_was(ledger: Ledger) -> None:
    """In the order in which they were learnt, none twice; an unknown that was resolved stays as it happened."""
    run_id = open_run(ledger, 7)
    for at in (3, 1, 0, 5, 2, 4):
        record(ledger, run_id, at, State.REFUSED if at % 2 else State.UNKNOWN)
    record(ledger, run_id, 6, State.CREATED)
    record(ledger, run_id, 0, State.CREATED)
    kept = RunRecord(run_id, ledger)
    problems = kept.problems()
    assert problems.columns.tolist() == ["receipt", "groupName", "state", "reason", "advice"]
    assert problems["groupName"].tolist() == [f"group-{at}" for at in (3, 1, 0, 5, 2, 4)]
    assert problems["receipt"].is_monotonic_increasing
    assert kept.problems(int(problems["receipt"].iloc[3]))["groupName"].tolist() == ["group-2", "group-4"]
    assert kept.problems(int(problems["receipt"].iloc[-1])).empty
    assert kept.counts == {"created": 2, "refused": 3, "unknown": 2}


def test_the_newest_run_is_the_newest_of_those_given(ledger: Ledger) -> None:
    """Or the one of a name; None where there is none."""
    for number in (1, 2):
        open_run(ledger, number)
    runs = ledger.runs_of(ACCOUNT)
    second, first = runs
    found, named = newest_run(ledger, runs), newest_run(ledger, runs, first)
    assert found is not None
    assert named is not None
    assert (found.name, named.name) == (second, first)
    assert newest_run(ledger, runs, "no such run") is None
    assert newest_run(ledger, {}) is None


def test_a_run_of_nothing_is_finished(client: Client, ledger: Ledger, tmp_path: Path) -> None:
    """It reports that, waits for nothing, and writes nothing: safe to write into any runbook."""
    run = Run(None, client, ledger).wait(raise_interrupt=False)
    run.stop()
    for one in (resume(client, ledger).wait(), run, RunRecord(None, ledger)):
        assert (one.name, one.done, one.finished, one.proven) == ("", True, True, True)
        assert (one.counts, one.table.empty) == ({}, True)
        assert one.summary.endswith("Nothing was sent: no run of this account is unfinished.")
    assert one.write_results(tmp_path / "results") == {}
    assert not (tmp_path / "results").exists()


def test_it_is_proven_when_every_created_phone_was_seen(client: Client, ledger: Ledger, newest: Newest) -> None:
    """By the run, and whoever asks later."""
    assert submit_plan(make_plan(many_orders(3)), client, ledger).wait().proven
    assert newest().proven


def test_where_nothing_was_created_nothing_is_to_be_proven(ledger: Ledger) -> None:
    """All existed, refused or unknown: their states show that."""
    run_id = open_run(ledger, 3)
    for at, state in enumerate((State.EXISTS, State.REFUSED, State.UNKNOWN)):
        record(ledger, run_id, at, state)
    assert RunRecord(run_id, ledger).proven


def test_it_is_not_proven_where_nothing_was_listed(
    sandbox: Sandbox, client: Client, ledger: Ledger, newest: Newest
) -> None:
    """The server answered that it created them, and its listing cannot be had: the summary has the reason."""
    sandbox.faults = "query:-18-before*30"
    run = submit_plan(make_plan(many_orders(2)), client, ledger).wait()
    assert run.counts == {"created": 2}
    assert "Not verified: The phones of application 4luaKsL2 could not be listed" in run.summary
    assert " Verified:" not in run.summary
    assert not run.proven
    assert not newest().proven


def test_it_is_not_proven_where_one_phone_is_missing(
    sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 of 9; more phones than asked for elsewhere make up for none."""
    create = client.create_phones

    def one_lost(one: PhoneGroup) -> Receipt:
        receipt = create(one)
        if one.group_name == "group-2":
            sandbox.edit_phone(APP, "phone-1-3", groupName="group-2")
        return receipt

    monkeypatch.setattr(client, "create_phones", one_lost)
    run = submit_plan(make_plan(many_orders(3)), client, ledger, workers=1).wait()
    assert "Verified: 8 of 9 phones." in run.summary
    assert not run.proven


def test_stop_finishes_what_is_under_way(sandbox: Sandbox, client: Client, ledger: Ledger, newest: Newest) -> None:
    """What was sent is created, the rest "not sent"; the run is over, not finished, and goes on where it was.

    What a run has made itself does not make its saved plan stale.
    """
    sandbox.latency = 0.05
    path = make_plan(many_orders(40), client, ledger).save("plan.json")
    run = submit_plan(Plan.load(path), client, ledger, workers=2)
    assert not newest().finished
    until(lambda: sent(sandbox) >= 4)
    run.stop()
    assert run.done
    created = len(sandbox.phones) // 3
    record = newest()
    assert (record.done, record.finished) == (True, False)
    assert record.counts == run.counts == {"created": created, "planned": 40 - created}
    assert run.summary.startswith("Stopped. Groups: ")
    assert f"{40 - created} not sent" in run.summary
    assert set(run.table["reason"][run.table["state"] == "planned"]) == {"not sent"}
    assert run.wait() is run
    sandbox.latency = 0
    second = submit_plan(Plan.load(path), client, ledger).wait()
    assert (second.name, second.counts, len(ledger.runs)) == (run.name, {"created": 40}, 1)
    assert f"Verified: 120 of 120 phones. It went on where it had stopped: {created} group" in second.summary
    assert sent(sandbox) == sandbox.served["sipAdd", "0"] == 40
    assert record.finished


def test_wait_can_time_out_and_the_run_goes_on(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """TimeoutError with the counts so far; join returns the same without raising; the next wait ends it."""
    sandbox.latency = 0.1
    run = submit_plan(make_plan(many_orders(8)), client, ledger, workers=4)
    assert not run.join(0.01)
    with pytest.raises(TimeoutError, match=r"it goes on\. Running\. Groups: .* to go"):
        run.wait(0.02)
    assert run.wait(30).counts == {"created": 8}
    assert run.join(0)


def test_what_ended_the_run_is_raised(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """By each wait, in a runbook too: nothing more is sent, and nobody goes on as if it had worked."""
    sandbox.latency = 0.05
    run = submit_plan(make_plan(many_orders(40)), client, ledger, workers=2)
    until(lambda: sent(sandbox) >= 4)
    with ledger.database.transaction(write=True) as connection:
        connection.exec_driver_sql("DROP TABLE receipts")
    for raise_interrupt in (False, True, False):
        with pytest.raises(LedgerError, match=r"no such table|does not exist"):
            run.wait(raise_interrupt=raise_interrupt)
    assert run.done
    assert sent(sandbox) < 40


class Progress:
    """What a wait publishes: as long as messages come, the main thread is in it."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def goes_on(self) -> None:
        """Return when the wait has gone once more round."""
        before = len(self.messages)
        until(lambda: len(self.messages) > before + 1)


@pytest.fixture
def progress(monkeypatch: pytest.MonkeyPatch) -> Iterator[Progress]:
    """Progress as messages, often; Ctrl-C interrupts, however the suite was started."""
    made = Progress()
    monkeypatch.setenv("ITNIO_PROGRESS", "messages")
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data: made.messages.append(data[PROGRESS_MIME]))
    monkeypatch.setattr("itnio_nb.runs.sending.background._TICK", 0.01)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield made
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    """Press Ctrl-C: the main thread is interrupted, wherever it waits."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


@contextmanager
def meanwhile(action: Callable[[], None]) -> Iterator[None]:
    """Do something in another thread, and raise what it raised."""
    problems: list[BaseException] = []

    def act() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - raised below
            problems.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()
    assert not problems, problems


def test_an_interrupt_stops_the_run_and_is_not_raised(
    progress: Progress, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """What was under way is recorded, the rest not sent; submitted again, it goes on."""
    sandbox.latency = 0.05
    plan = make_plan(many_orders(60))
    run = submit_plan(plan, client, ledger, workers=2)

    def press() -> None:
        until(lambda: sent(sandbox) > 3)
        progress.goes_on()
        interrupt()

    with meanwhile(press):
        assert run.wait(raise_interrupt=False) is run
    assert run.done
    assert run.summary.startswith("Stopped. Groups: ")
    counts = run.counts
    assert set(counts) == {"created", "planned"}
    assert counts["created"] == sent(sandbox) == len(sandbox.phones) // 3 < 60
    assert runbook_outcome(plan, run).code == 6
    sandbox.latency = 0
    assert submit_plan(plan, client, ledger).wait(raise_interrupt=False).counts == {"created": 60}
    assert sent(sandbox) == 60


def test_a_second_interrupt_changes_nothing(
    progress: Progress, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """What is under way is finished, and recorded."""
    run = submit_plan(make_plan(many_orders(60)), client, ledger, workers=2)

    def press() -> None:
        until(lambda: sent(sandbox) > 3)
        sandbox.faults = gate = Gate()  # no request is answered: the run cannot be over
        progress.goes_on()
        interrupt()
        until(lambda: isinstance(run._engine, RunEngine) and run._engine._stopping.is_set())
        interrupt()
        progress.goes_on()  # it is waited for again, not given up
        gate.opened.set()

    sandbox.latency = 0.05
    with meanwhile(press):
        assert run.wait(raise_interrupt=False) is run
    assert run.done
    counts = run.counts
    assert set(counts) == {"created", "planned"}
    assert counts["created"] == sent(sandbox) == len(sandbox.phones) // 3


@pytest.mark.parametrize("how", ["text", "", "off"])
def test_text_outside_a_notebook(how: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Groups done of all, and the counts by state, on stderr; nothing for what is kept: a stored bar would differ."""
    monkeypatch.setenv("ITNIO_PROGRESS", how)
    with progress_bar(10, 2) as bar:
        advance(bar, HALF, "Verify")
    out, shown = capfd.readouterr()
    words = ("Verify:  40%", "4/10", "created=3, exists=0, refused=0, unknown=1")
    assert out == ""
    assert [word in shown for word in words] == [how != "off"] * 3
    assert bool(shown) == (how != "off")


def test_a_widget_alone_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a kernel the bar is a widget's view and no text that a saved notebook would show for ever."""
    import tqdm.auto
    from tqdm.notebook import tqdm_notebook

    shown: list[dict[str, object]] = []
    monkeypatch.setenv("ITNIO_PROGRESS", "")
    monkeypatch.setattr(tqdm.auto, "tqdm", tqdm_notebook)
    monkeypatch.setattr("IPython.display.publish_display_data", shown.append)
    with progress_bar(10, 2) as bar:
        advance(bar, HALF, "Verify")
        assert bar.container.children[1].value == 4
        assert "created=3" in bar.container.children[2].value
    assert [list(data) for data in shown] == [["application/vnd.jupyter.widget-view+json"]]


def test_messages_for_the_runner(progress: Progress, capfd: pytest.CaptureFixture[str]) -> None:
    """One each time, `partial` only where there is one; nothing is shown here."""
    with progress_bar(10, 2) as bar:
        advance(bar, Counter({"created": 1, "planned": 9}), "Submit")
        advance(bar, HALF, "Verify")
    with progress_bar(3, 0) as bar:
        advance(bar, Counter({"refused": 2, "partial": 1}), "Submit")
    none = {"created": 0, "exists": 0, "refused": 0, "unknown": 0}
    assert progress.messages == [
        {"total": 10, "activity": "Submit", "done": 1, "counts": none | {"created": 1}},
        {"total": 10, "activity": "Verify", "done": 4, "counts": none | {"created": 3, "unknown": 1}},
        {"total": 3, "activity": "Submit", "done": 3, "counts": none | {"partial": 1, "refused": 2}},
    ]
    assert capfd.readouterr() == ("", "")


def test_the_last_message_has_every_group_done(progress: Progress, client: Client, ledger: Ledger) -> None:
    """The end of a run is shown, however quick it was."""
    submit_plan(make_plan(many_orders(4)), client, ledger).wait()
    last = progress.messages[-1]
    assert (last["total"], last["done"], last["counts"]["created"]) == (4, 4, 4)


@pytest.mark.parametrize("groups", [3, 60, 61, 100])
def test_a_cell_shows_the_ends_of_a_long_run_as_if_all_were_read(groups: int, client: Client, ledger: Ledger) -> None:
    """Only the rows that are shown are read, and the counts from sums."""
    run = submit_plan(make_plan(many_orders(groups)), client, ledger, workers=16).wait()
    summary, table = run.snapshot()
    columns = ["row", *API_COLUMNS, "state", "status", "reason", "advice"]
    assert run.summary == summary
    assert run.counts == {"created": groups}
    assert run._repr_html_() == show_html(summary, table[columns], end=next_step(table))


def test_a_cell_shows_what_went_wrong_in_a_long_run(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Wherever it stands: refused, there otherwise than asked for, here or by another run; as if all were read."""
    sandbox.app_ids = [APP]
    frame = many_orders(90)
    submit_plan(make_plan(frame.iloc[20:50]), client, ledger, workers=16).wait()
    client.create_phones(PhoneGroup("elsewhere", "elsewhere", 2, "861000000", APP))
    frame.loc[frame.index[70], ["groupName", "phoneName"]] = ["elsewhere", "elsewhere"]
    frame.loc[frame.index[80], "appId"] = "wrong"
    frame.loc[frame.index[30], "quantity"] = "7"
    for ours in (make_plan(frame, client, ledger), make_plan(frame)):  # found by the plan; found by the run
        run = submit_plan(ours, client, ledger, workers=16).wait()
        summary, table = run.snapshot()
        html = run._repr_html_()
        columns = ["row", *API_COLUMNS, "state", "status", "reason", "advice"]
        assert html == show_html(summary, table[columns], end=next_step(table))
        names = re.findall("<td[^>]*>(elsewhere|[a-z]+-?[0-9]+)</td>", html)
        troubled = table[(table["state"] == "refused") | table["reason"].str.contains(" asked for")]
        assert len(troubled) >= 2
        assert set(troubled["groupName"]) <= set(names[: 2 * len(troubled)])
