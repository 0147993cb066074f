"""The review of a ledger, by clicking: runs, filters, charts, the comparison with the account, the export."""

from __future__ import annotations

import io
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import AccountError, Client, Ledger, Sandbox, make_plan, resume, submit_plan
from itnio_nb.api.models import State
from itnio_nb.forms.review.form import ReviewForm
from itnio_nb.ledger.schema.actors import this_actor
from tests.support.factories import APP, Gate, group, many_orders, orders_frame, sent, until
from tests.support.forms import (
    PRINTABLE_HOSTILE,
    assert_form_harmless,
    click,
    click_hastily,
    data_of,
    downloads_of,
    status,
    text_of,
    wait_for_poll,
)

WE = "by " + " on ".join(this_actor()[:2])


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, bytes]]:
    """A sandbox, and the file of its ledger: four groups created; then two in another application, one refused."""
    path = tmp_path_factory.mktemp("past") / "past.sqlite"
    with Sandbox(app_ids=[APP, "other"]) as sandbox, Client(sandbox.account) as client:
        with Ledger(path) as ledger:
            submit_plan(make_plan(many_orders(4)), client, ledger).wait()
            apps = enumerate(["other", "other", "wrong"])
            rows = [(f"more-{at}", f"line-{at}", "5", "861000000", app) for at, app in apps]
            submit_plan(make_plan(orders_frame(*rows)), client, ledger).wait()
        yield sandbox, path.read_bytes()


@pytest.fixture
def client(past: tuple[Sandbox, bytes]) -> Iterator[Client]:
    with Client(past[0].account) as made:
        yield made


@pytest.fixture
def ledger(past: tuple[Sandbox, bytes], tmp_path: Path) -> Iterator[Ledger]:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(past[1])
    path.chmod(0o600)
    with Ledger(path) as made:
        yield made


@pytest.fixture
def form(client: Client, ledger: Ledger) -> Iterator[ReviewForm]:
    with closing(ReviewForm(client, ledger)) as made:
        made.wait(60)
        yield made


@pytest.fixture(scope="module")
def one_for_all(past: tuple[Sandbox, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewForm]:
    path = tmp_path_factory.mktemp("looked at") / "ledger.sqlite"
    path.write_bytes(past[1])
    path.chmod(0o600)
    with Client(past[0].account) as client, Ledger(path) as ledger, closing(ReviewForm(client, ledger)) as made:
        yield made


@pytest.fixture
def looked_at(one_for_all: ReviewForm) -> ReviewForm:
    """A form that shows everything, for what only looks at it."""
    pick(one_for_all, run="", state="all", application="all", since=None, until=None)
    return one_for_all


def pick(form: ReviewForm, **values: object) -> None:
    for name, value in values.items():
        getattr(form.filters, name).value = value
    form.wait(60)


def names(form: ReviewForm) -> list[str]:
    shown: list[str] = data_of(form.groups)["groupName"].tolist()
    return shown


def test_it_shows_the_whole_ledger(looked_at: ReviewForm) -> None:
    """The account's banner, all runs, the newest first, and every group with its state.

    Every state and what the ledger has can be chosen; both hold; the export is disabled where nothing is left.
    """
    first, second = looked_at.ledger.runs["run"]
    assert looked_at.client is not None
    assert text_of(looked_at.banner).startswith(f"SANDBOX at {looked_at.client.account.base_url}")
    assert [label for label, _ in looked_at.filters.run.options] == [
        "All: 2 runs",
        f"table · 3 groups · finished · just now · {WE} · {second}",
        f"table · 4 groups · finished · just now · {WE} · {first}",
    ]
    assert text_of(looked_at.summary) == "2 runs, 7 groups in the ledger."
    assert text_of(looked_at.size) == "7 groups of 7"
    assert sorted(names(looked_at)) == sorted([f"group-{at}" for at in range(4)] + [f"more-{at}" for at in range(3)])
    assert repr(looked_at) == "ReviewForm: 2 runs. 7 groups shown: 6 created, 1 refused."
    assert data_of(looked_at.groups).index.tolist() == list(range(1, 8))
    words = ["all", "not sent", "being sent", "created", "partial", "existed", "refused", "unknown"]
    assert list(looked_at.filters.state.options) == list(zip(words, ["all", *map(str, State)], strict=True))
    for state, number in (("created", 6), ("refused", 1), ("unknown", 0), ("all", 7)):
        pick(looked_at, state=state)
        assert len(names(looked_at)) == number
        assert text_of(looked_at.size) == (f"{number} groups of 7" if number != 1 else "1 group of 7")
        assert looked_at.export.disabled is (number == 0)
        assert repr(looked_at).startswith(f"ReviewForm: 2 runs. {number} group")
    assert set(looked_at.filters.application.options) == {"all", APP, "other", "wrong"}
    pick(looked_at, application="other")
    assert names(looked_at) == ["more-0", "more-1"]
    pick(looked_at, state="refused")
    assert names(looked_at) == []
    pick(looked_at, application="wrong")
    assert names(looked_at) == ["more-2"]


def test_charts_are_drawn_when_their_tab_is_open(looked_at: ReviewForm) -> None:
    """Pictures in the page itself, of what is shown, with words for those who cannot see them."""
    assert looked_at.charts.value == ""
    looked_at.tabs.selected_index = 1
    looked_at.wait(60)
    all_three = looked_at.charts.value
    assert all_three.count('<img alt="') == all_three.count('src="data:image/png;base64,') == 3
    assert 'alt="Outcomes: 7 groups: 6 created, 1 refused. 22 phones created."' in all_three
    assert 'alt="Phones created over time: 22 phones created' in all_three
    assert 'alt="By application: 4luaKsL2: 4 groups, other: 2 groups, wrong: 1 group, 1 refused."' in all_three
    assert_form_harmless(looked_at)
    pick(looked_at, state="unknown")
    assert text_of(looked_at.charts) == "Nothing to draw."
    assert "<img" not in (nothing := looked_at.charts.value)
    looked_at.tabs.selected_index = 0
    pick(looked_at, state="refused")
    assert looked_at.charts.value == nothing
    looked_at.tabs.selected_index = 1
    looked_at.wait(60)
    expected = "1 group: 1 refused. 0 phones created. All in application wrong."
    assert text_of(looked_at.charts) == expected
    assert "<img" not in looked_at.charts.value
    looked_at.tabs.selected_index = 0


def test_one_run_is_picked_and_exported(looked_at: ReviewForm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own summary, its own groups in their order, with advice; the CSV is named after it, filters hold.

    Days include both; a group that was never created has none.
    """
    files, name = downloads_of(looked_at, monkeypatch), looked_at.ledger.runs["run"].iloc[-1]
    click(looked_at, looked_at.export)
    pick(looked_at, run=name)
    assert text_of(looked_at.summary).startswith("Done. Groups: 2 created (10 phones), 0 existed, 1 refused")
    assert names(looked_at) == ["more-0", "more-1", "more-2"]
    assert "Field refused" in data_of(looked_at.groups)["advice"].tolist()[2]
    today = datetime.now(UTC).astimezone().date()
    pick(looked_at, since=today)
    assert len(names(looked_at)) == 3  # of a run, the time of each outcome
    pick(looked_at, state="created")
    click(looked_at, looked_at.export)
    assert list(files) == ["all-runs-groups.csv", f"{name}-groups.csv"]
    whole, part = (pd.read_csv(io.BytesIO(data), dtype=str) for data in files.values())
    assert (len(whole), part["groupName"].tolist()) == (7, ["more-0", "more-1"])
    assert status(looked_at) == f"2 groups exported as {name}-groups.csv."
    pick(looked_at, run="", state="all")
    for since, until_day, number in (
        (today, today, 6),
        (today + timedelta(days=1), None, 0),
        (None, today - timedelta(days=1), 0),
        (date(2020, 1, 1), date(2100, 1, 1), 6),
        (None, None, 7),
    ):
        pick(looked_at, since=since, until=until_day)
        assert len(names(looked_at)) == number, (since, until_day)


def test_what_others_write_is_shown(form: ReviewForm, client: Client, ledger: Ledger) -> None:
    """Once they pause, without a click, or at once by one; what was picked stays picked."""
    pick(form, state="created", application=APP)
    for name, button in (("fresh", form.reload), ("newer", None)):
        submit_plan(make_plan(orders_frame((name, f"{name}-desk"))), client, ledger).wait()
        if button is not None:
            click(form, button)
        until(lambda name=name: name in names(form))  # type: ignore[misc] # bound now
    form.wait(60)
    assert (form.filters.state.value, form.filters.application.value) == ("created", APP)
    assert form.filters.run.options[0][0] == "All: 4 runs"
    form.close()
    submit_plan(make_plan(orders_frame(("last", "last"))), client, ledger).wait()
    assert form.wait(1) is form
    assert "last" not in names(form)


def test_a_ledger_that_is_empty_or_gone_is_shown(client: Client, tmp_path: Path) -> None:
    """With nothing to export, and nothing that fails; when its file is gone, by the next poll, in words."""
    with Ledger(tmp_path / "empty.sqlite") as ledger, closing(ReviewForm(client, ledger)) as form:
        form.wait(60)
        assert repr(form) == "ReviewForm: 0 runs. 0 groups shown: none."
        assert form.export.disabled
        assert names(form) == []
        assert text_of(form.summary) == "0 runs, 0 groups in the ledger. What is submitted appears here."
        assert form.tabs.layout.display == "none"
        click(form, form.compare)
        assert status(form) == "0 groups compared: 0 to look at, 0 settled."
        click(form, form.reload)
        assert form.tabs.layout.display is None
        ledger.path.unlink()
        until(lambda: status(form).startswith("Error: The ledger "))
        click(form, form.reload)
        assert "the file was deleted or replaced" in status(form)


def test_two_accounts_in_one_ledger_are_told_apart(ledger: Ledger, past: tuple[Sandbox, bytes]) -> None:
    """Where a client is given, its own first; all are a choice away.

    Without an account there is nothing to compare with: the button is disabled and says what to give.
    """
    with Client(past[0].add_account()) as other:
        submit_plan(make_plan(many_orders(2)), other, ledger).wait()
        with closing(ReviewForm(other, ledger)) as theirs:
            assert repr(theirs) == "ReviewForm: 1 run. 2 groups shown: 2 created."
            pick(theirs, account=False)
            assert repr(theirs).startswith("ReviewForm: 3 runs. 9 groups shown")
    with closing(ReviewForm(ledger=ledger)) as all_of_it:
        assert repr(all_of_it).startswith("ReviewForm: 3 runs. 9 groups shown")
        assert (all_of_it.compare.disabled, all_of_it.banner.value) == (True, "")
        assert [one.layout.display for one in (all_of_it.compare, all_of_it.filters.account)] == ["none", "none"]
        assert text_of(all_of_it.compared) == "There is no account to compare with: ReviewForm(client, ledger)."
        assert all_of_it.compare.tooltip == "Give a client, to compare: ReviewForm(client, ledger)"
        click_hastily(all_of_it, all_of_it.compare)
        assert status(all_of_it) == "Error: There is no account to compare with: ReviewForm(client, ledger)."
        pick(all_of_it, state="refused")
        assert names(all_of_it) == ["more-2"]


# Times, runs at work, and what became of one group.


def test_of_a_large_ledger_the_newest_groups_are_shown(
    client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first page, and how many there are; the export has all of them, and a filter looks at all of them."""
    monkeypatch.setattr("itnio_nb.forms.review.form.MOST_SHOWN", 3)
    newest = ledger.pages.newest_groups
    monkeypatch.setattr(ledger.pages, "newest_groups", lambda *words, **more: newest(*words, limit=3, **more))
    whole = ledger.table
    with closing(ReviewForm(client, ledger)) as form:
        form.wait(60)
        assert names(form) == whole["groupName"].tolist()[:-4:-1]
        told = f"The newest 3 of {len(whole)} groups: pick a run or a filter; the export has all"
        assert told in text_of(form.size)
        files = downloads_of(form, monkeypatch)
        click(form, form.export)
        exported = pd.read_csv(io.BytesIO(files["all-runs-groups.csv"]), dtype=str)
        assert exported["groupName"].tolist() == whole["groupName"].tolist()
        pick(form, state="created")
        assert len(names(form)) == int((whole["state"] == "created").sum())
        assert "The newest" not in text_of(form.size)


@contextmanager
def rewritten(path: Path, *statements: str) -> Iterator[ReviewForm]:
    """A form over a ledger some of whose cells are others."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    with Ledger(path) as ledger, closing(ReviewForm(ledger=ledger)) as form:
        form.wait(60)
        yield form


@pytest.fixture
def kiritimati(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where the day begins: fourteen hours before UTC's, in a zone without a name."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Pacific/Kiritimati")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("kiritimati")
def test_times_and_days_are_local(ledger: Ledger) -> None:
    """In every grid, with their zone; a day begins at midnight here. The file has the times of the ledger."""
    ledger.close()
    times = "UPDATE receipts SET at = '2026-03-01T{}.500Z' WHERE run_id = 1 AND position {}"
    with rewritten(ledger.path, times.format("09:59:59", "= 0"), times.format("10:00:00", "> 0")) as form:
        first, zone = form.ledger.runs["run"].iloc[0], "UTC+14"
        pick(form, application=APP)
        shown = ["2026-03-01 23:59:59 UTC+14", *["2026-03-02 00:00:00 UTC+14"] * 3]
        assert data_of(form.groups)["made"].tolist() == shown
        pick(form, run=first)
        assert data_of(form.groups)["at"].tolist() == shown
        for day, number in ((date(2026, 3, 1), 1), (date(2026, 3, 2), 3), (date(2026, 3, 3), 0)):
            pick(form, since=day, until=day)
            assert len(names(form)) == number
        assert form.filters.since.tooltip == f"First day, {zone}"
        pick(form, since=None, until=None, group="GROUP-0")
        assert data_of(form.groups)["at"].tolist() == shown[:1]
        assert form._shown["at"].tolist() == ["2026-03-01T09:59:59.500Z"]


def test_a_run_is_called_by_its_file_outcome_and_age(ledger: Ledger) -> None:
    """Its name last. What is not known of it is not said; the words of a file's name are text, and short."""
    ledger.close()
    past = datetime.now(UTC) - timedelta(minutes=12, seconds=30)
    hostile = "x" * 100 + chr(0x202E) + ".xlsx"
    outline = "UPDATE runs SET source = '{}', left_out = {}, finished = {} WHERE id = {}"
    first = outline.format("phones.xlsx", 2, f"'{past.isoformat()}'", 1)
    with rewritten(ledger.path, first, outline.format(hostile, "NULL", "NULL", 2)) as form:
        (_, newer, older) = (label for label, _ in form.filters.run.options)
        name = form.ledger.runs["run"].iloc[0]
        assert older == f"phones.xlsx · 4 groups · finished, 2 of 4 rows left out · 12 minutes ago · {WE} · {name}"
        assert newer.startswith("x" * 38 + "…")
        assert "\\u202e.xlsx · 3 groups · not finished · just now · " in newer
    with rewritten(ledger.path, outline.format("", 1, "'yesterday'", 1)) as form:
        assert (
            form.filters.run.options[-1][0] == f"4 groups · finished, 1 of 4 rows left out · yesterday · {WE} · {name}"
        )


def test_ages_are_those_of_now(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a click; what is picked stays picked."""
    with closing(ReviewForm(ledger=ledger)) as form:
        pick(form, run=ledger.runs["run"].iloc[0])
        monkeypatch.setattr("itnio_nb.forms.review.filters.ago", lambda _: "3 minutes ago")
        until(lambda: "3 minutes ago" in form.filters.run.options[1][0])
        wait_for_poll(form)
        assert form.filters.run.value == ledger.runs["run"].iloc[0]
        assert len(names(form)) == 4


def test_a_run_at_work_tells_how_far_it_is(sandbox: Sandbox, tmp_path: Path) -> None:
    """In the list and in the summary, whoever works on it, without a click; in that of another run it is not told."""
    with Client(sandbox.account) as client, Ledger(tmp_path / "own.sqlite") as ledger:
        before = submit_plan(make_plan(orders_frame(("first", "first"))), client, ledger).wait().name
        with closing(ReviewForm(client, ledger)) as form:
            form.wait(60)
            sandbox.faults = gate = Gate()
            run = submit_plan(make_plan(many_orders(3)), client, ledger, workers=1)
            until(lambda: "0 of 3 groups of table" in text_of(form.summary))
            assert text_of(form.summary).splitlines()[1].startswith("At work since ")
            assert text_of(form.summary).endswith(f": 0 of 3 groups of table ({run.name}).")
            assert " · 3 groups · at work since " in form.filters.run.options[1][0]
            pick(form, run=before)
            assert "At work" not in text_of(form.summary)
            pick(form, run=run.name)
            assert text_of(form.summary).startswith("Running. Groups: 0 created")
            pick(form, group="first")
            assert "At work" in text_of(form.summary)  # of all runs
            pick(form, group="group-0")
            assert data_of(form.groups)["state"].tolist() == ["being sent"]
            pick(form, group="group-2")
            assert data_of(form.groups)["state"].tolist() in (["not sent"], ["being sent"])
            pick(form, group="")
            gate.opened.set()
            run.wait()
            until(lambda: text_of(form.summary).startswith("Done. Groups: 3 created"))
            assert "At work" not in text_of(form.summary)
            assert " · 3 groups · finished · just now" in form.filters.run.options[1][0]


def test_progress_is_that_of_now(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the ledger changes all the time, and so the table waits."""
    with (
        Client(sandbox.account) as client,
        Ledger(tmp_path / "own.sqlite") as ledger,
        closing(ReviewForm(client, ledger)) as form,
    ):
        sandbox.faults = gate = Gate()
        run = submit_plan(make_plan(many_orders(3)), client, ledger, workers=1)
        until(lambda: "0 of 3 groups of table" in text_of(form.summary))
        with monkeypatch.context() as patch:
            patch.setattr(type(ledger.run_store), "change_token", lambda _: (object(),))
            patch.setattr("itnio_nb.forms.review.form.items_done", lambda _: 2)
            until(lambda: "2 of 3 groups of table" in text_of(form.summary))
        gate.opened.set()
        run.wait()


def test_a_group_is_found_in_all_runs(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a part of its name in any case: each receipt, the newest first, and each run in which it has none.

    The run that is picked does not matter; other filters do. It is exported, and charted once.
    """
    orders = orders_frame(("Straße", "strasse"), ("other", "other"))
    with Client(sandbox.account) as client, Ledger(tmp_path / "own.sqlite") as ledger:
        sandbox.faults = "-2-before,none"
        runs = [submit_plan(make_plan(orders), client, ledger, workers=1).wait().name]
        sandbox.faults = None
        runs += [submit_plan(make_plan(orders, client, ledger), client, ledger).wait().name for _ in range(2)]
        with closing(ReviewForm(client, ledger)) as form:
            files = downloads_of(form, monkeypatch)
            pick(form, run=runs[0])
            pick(form, group=" STRASSE ")
            table = data_of(form.groups)
            assert table["groupName"].tolist() == ["Straße"] * 3
            assert table["state"].tolist() == ["existed", "created", "refused"]
            assert runs[0] == runs[1] != runs[2]  # the refusal ended the run: it went on
            assert table["run"].tolist() == runs[::-1]
            assert "phoneName" in table  # and no column that says nothing
            assert text_of(form.summary) == "1 group with “STRASSE” in the name, in 2 of 2 runs."
            assert text_of(form.size) == "3 receipts of 3, the newest first"
            assert form.filters.run.disabled
            form.tabs.selected_index = 1
            form.wait(60)
            assert text_of(form.charts).startswith("1 group: 1 ")
            form.tabs.selected_index = 0
            click(form, form.export)
            assert len(pd.read_csv(io.BytesIO(files["found-groups.csv"]))) == 3
            pick(form, state="refused")
            assert data_of(form.groups)["state"].tolist() == ["refused"]
            pick(form, state="all", group="[a-z]*")
            assert text_of(form.summary) == "No group of 2 runs has “[a-z]*” in its name."
            assert form.export.disabled
            assert form.tabs.layout.display is None
            pick(form, group="<b>")
            assert_form_harmless(form)
            pick(form, group="")
            assert not form.filters.run.disabled
            assert names(form) == ["Straße", "other"]


def test_a_group_that_is_sent_again_has_both_lines(sandbox: Sandbox, tmp_path: Path) -> None:
    """What it was, and that it is being sent."""
    with (
        Client(sandbox.account) as client,
        Ledger(tmp_path / "own.sqlite") as ledger,
        closing(ReviewForm(client, ledger)) as form,
    ):
        sandbox.faults = "-2-before"
        submit_plan(make_plan(many_orders(1)), client, ledger).wait()
        sandbox.faults = gate = Gate()
        run = resume(client, ledger)
        until(lambda: "At work" in text_of(form.summary) and ledger.table["state"].tolist() == ["sending"])
        pick(form, group="group-0")
        assert data_of(form.groups)["state"].tolist() == ["being sent", "refused"]
        gate.opened.set()
        run.wait()


def test_of_too_many_groups_the_newest_are_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it says so."""
    monkeypatch.setattr("itnio_nb.forms.review.shown.MOST_FOUND", 3)
    with closing(ReviewForm(ledger=ledger)) as form:
        pick(form, group="o")
        assert sorted(names(form)) == ["more-0", "more-1", "more-2"]
        assert text_of(form.summary).endswith("These are the newest 3 receipts: type more of the name.")


def test_two_accounts_groups_are_told_apart_when_found(ledger: Ledger, past: tuple[Sandbox, bytes]) -> None:
    """Of the account that is shown."""
    with Client(past[0].add_account()) as other:
        submit_plan(make_plan(many_orders(2)), other, ledger).wait()
        with closing(ReviewForm(other, ledger)) as theirs:
            pick(theirs, group="group-0")
            assert len(names(theirs)) == 1
            pick(theirs, account=False)
            assert len(names(theirs)) == 2


# Who did what.


def label(form: ReviewForm, run: str) -> str:
    """What a run is called in the list."""
    return next(str(words) for words, name in form.filters.run.options if name == run)


@pytest.fixture
def of_two(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Client, Ledger]]:
    """A ledger in which anna has created one group of two, and ben another one and, in his own run, a third."""
    with Client(sandbox.account) as client, Ledger(tmp_path / "own.sqlite") as ledger:
        plan = make_plan(many_orders(2), client, ledger)
        for operator, machine, faults in (("anna", "ops1", "none,-2-before"), ("ben", "ops2", None)):
            monkeypatch.setenv("ITNIO_OPERATOR", operator)
            monkeypatch.setenv("ITNIO_MACHINE", machine)
            sandbox.faults = faults
            submit_plan(plan, client, ledger, workers=1).wait()
        submit_plan(make_plan(orders_frame(("more", "more-desk")), client, ledger), client, ledger).wait()
        yield client, ledger


def test_who_did_what(of_two: tuple[Client, Ledger], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run says who worked on it, each group and receipt who wrote it; one of them can be picked, and stays so."""
    client, ledger = of_two
    first, second = ledger.runs["run"]
    with closing(ReviewForm(client, ledger)) as form:
        form.wait(60)
        assert " · by anna on ops1, ben on ops2 · " in label(form, first)
        assert " · by ben on ops2 · " in label(form, second)
        assert [name for name, _ in form.filters.operator.options] == ["all", "anna", "ben"]
        assert form.filters.operator.layout.display is None
        assert data_of(form.groups)["operator"].tolist() == ["anna", "ben", "ben"]
        pick(form, operator=("ben",))
        assert names(form) == ["group-1", "more"]
        assert text_of(form.size) == "2 groups of 3"
        files = downloads_of(form, monkeypatch)
        click(form, form.export)
        assert pd.read_csv(io.BytesIO(files["all-runs-groups.csv"]))["operator"].tolist() == ["ben", "ben"]
        pick(form, run=first)
        assert names(form) == ["group-1"]
        pick(form, operator=("anna",))
        assert names(form) == ["group-0"]
        pick(form, run=second)
        assert names(form) == []
        pick(form, group="group-1")
        told = data_of(form.groups)
        assert told[["state", "operator", "machine"]].to_numpy().tolist() == [["refused", "anna", "ops1"]]
        click(form, form.reload)
        assert form.filters.operator.value == ("anna",)
        pick(form, operator=())
        told = data_of(form.groups)
        assert told[["state", "operator", "machine"]].to_numpy().tolist() == [
            ["created", "ben", "ops2"],
            ["refused", "anna", "ops1"],
        ]


def test_one_operator_is_no_choice(looked_at: ReviewForm) -> None:
    """Neither a filter nor a column; a group that is looked for says who wrote of it all the same."""
    assert looked_at.filters.operator.layout.display == "none"
    assert "operator" not in data_of(looked_at.groups)
    pick(looked_at, group="group-0")
    assert data_of(looked_at.groups)[["operator", "machine"]].to_numpy().tolist() == [list(this_actor()[:2])]
    pick(looked_at, group="")


def test_a_choice_that_is_gone_is_taken_back(
    of_two: tuple[Client, Ledger], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the runs of another account there is one operator: everything is shown."""
    _, ledger = of_two
    with Client(sandbox.add_account()) as other:
        monkeypatch.setenv("ITNIO_OPERATOR", "carl")
        submit_plan(make_plan(many_orders(2)), other, ledger).wait()
        with closing(ReviewForm(other, ledger)) as form:
            pick(form, account=False)
            pick(form, operator=("anna",))
            assert names(form) == ["group-0"]
            pick(form, account=True)
            assert (form.filters.operator.value, len(names(form))) == ((), 2)
            assert form.filters.operator.layout.display == "none"


def test_who_sends_a_group_now(
    sandbox: Sandbox, of_two: tuple[Client, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is told while it is being sent."""
    client, ledger = of_two
    with closing(ReviewForm(client, ledger)) as form:
        monkeypatch.setenv("ITNIO_OPERATOR", "carl")
        sandbox.faults = gate = Gate()
        run = submit_plan(make_plan(orders_frame(("newest", "newest"))), client, ledger)
        until(lambda: "being sent" in data_of(form.groups)["state"].tolist())
        pick(form, group="newest", operator=("carl",))
        assert data_of(form.groups)[["state", "operator"]].to_numpy().tolist() == [["being sent", "carl"]]
        gate.opened.set()
        run.wait()


@pytest.mark.parametrize("name", ["", "\0", "a\nb", "x" * 10_000, "=1+1", "all", *PRINTABLE_HOSTILE])
def test_operators_names_are_text(name: str, of_two: tuple[Client, Ledger], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whatever a file has; no formula is in the export, and each can be picked."""
    client, ledger = of_two
    ledger.close()
    with closing(sqlite3.connect(ledger.path)) as other, other:
        other.execute("UPDATE actors SET operator = ? WHERE operator = 'anna'", (name,))
    with closing(ReviewForm(client, ledger)) as form:
        files = downloads_of(form, monkeypatch)
        pick(form, operator=(name,))
        assert names(form) == ["group-0"]
        assert all(len(words) < 300 and words.isprintable() for words, _ in form.filters.run.options)
        assert {words for words, _ in form.filters.operator.options} >= {"all", "ben"}
        assert all(words.isprintable() and len(words) <= 78 for words, _ in form.filters.operator.options)
        click(form, form.export)
        assert b",=1" not in files["all-runs-groups.csv"]
        pick(form, group="group-0")
        assert_form_harmless(form)


def test_a_run_of_many_names_two(of_two: tuple[Client, Ledger], monkeypatch: pytest.MonkeyPatch) -> None:
    """And how many more there are; of a run of before it was kept nobody is named."""
    client, ledger = of_two
    first, second = ledger.runs_of(None).values()
    for operator in ("carl", "dora"):
        monkeypatch.setenv("ITNIO_OPERATOR", operator)
        ledger.run_control.join(second, operator)
    ledger.close()
    with closing(sqlite3.connect(ledger.path)) as other, other:
        other.execute("DELETE FROM run_actors WHERE run_id = ?", (first,))
    with closing(ReviewForm(client, ledger)) as form:
        form.wait(60)
        later, earlier = form.ledger.runs_of(None)
        assert " · by anna on ops1, ben on ops2 and 2 more · " in label(form, earlier)
        assert " · by " not in label(form, later)


# The comparison with the account.


def test_comparing_shows_what_has_drifted(sandbox: Sandbox, tmp_path: Path) -> None:
    """What was deleted, what was made elsewhere; those rows alone; nothing is sent, however often it is clicked.

    It resolves what is unknown, and shows it at once. An account that cannot be asked is an error in words.
    """
    with Client(sandbox.account) as client, Ledger(tmp_path / "own.sqlite") as ledger:
        plan = make_plan(many_orders(3), client, ledger)
        sandbox.faults = ",".join(["drop-after", *["query:-18-before"] * 60])
        submit_plan(plan, client, ledger).wait()
        with closing(ReviewForm(client, ledger)) as form:
            assert "1 unknown" in repr(form)
            click(form, form.compare)
            assert status(form).startswith("Error: ")
            sandbox.faults = None
            click(form, form.compare)
            assert "1 settled." in text_of(form.compared)
            assert repr(form).splitlines()[0] == "ReviewForm: 1 run. 3 groups shown: 3 created."
            click(form, form.compare)
            assert status(form) == "3 groups compared: 0 to look at, 0 settled."
            sandbox.delete_group(APP, "group-2")
            client.create_phones(group("foreign", "foreign"))
            listings = sandbox.served["sipQuery", "0"]
            click_hastily(form, form.compare)
            assert sandbox.served["sipQuery", "0"] - listings == 1
            assert form.tabs.selected_index == 2
            assert text_of(form.compared).startswith("4 groups compared: 2 to look at, 0 settled.")
            assert status(form).startswith("Warning: 4 groups compared")
            table = data_of(form.differences)
            advice = dict(zip(table["groupName"], table["advice"], strict=True))
            assert advice["group-2"].startswith("It is no longer there. Was it deleted?")
            assert advice["foreign"].endswith("created elsewhere.")
            assert len(advice) == 2
            assert sent(sandbox) == 4


def test_hostile_names_are_text(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of groups, applications and what the server says; no formula is in the export."""
    texts = PRINTABLE_HOSTILE
    rows = [((text + "....")[:32], f"desk-{at}", "3", "861000000", text) for at, text in enumerate(texts)]
    with Client(sandbox.account) as client, Ledger(tmp_path / "own.sqlite") as ledger:
        submit_plan(make_plan(orders_frame(*rows)), client, ledger).wait()
        client.create_phones(group("<b>other</b>", "other", app_id=texts[0]))
        with closing(ReviewForm(client, ledger)) as form:
            files = downloads_of(form, monkeypatch)
            click(form, form.compare, form.export)
            assert b'"\'=1+1...."' in files["all-runs-groups.csv"]
            assert b'"=1' not in files["all-runs-groups.csv"]
            pick(form, application=texts[1])
            assert names(form) == [rows[1][0]]
            assert_form_harmless(form)


# What is not given is opened.


def test_without_anything_the_sandboxs_ledger_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or, where an account is configured, its own; a client alone brings its ledger too."""
    with closing(ReviewForm()) as form, form.ledger:
        assert form.client is None
        assert form.ledger.path.resolve() == Path("results", "ledger.sqlite").resolve()
    monkeypatch.setenv("ITNIO_API_KEY", "a-live-key-1234")
    with pytest.raises(AccountError, match="ITNIO_API_SECRET"):
        ReviewForm()
    monkeypatch.setenv("ITNIO_API_SECRET", "7bz1lzh9")
    with closing(ReviewForm()) as form, form.ledger:
        assert text_of(form.banner).startswith("LIVE ACCOUNT …1234")
        assert form.ledger.path.name == "default-ledger.sqlite"
        with closing(ReviewForm(form.client)) as other, other.ledger:
            assert other.ledger.path == form.ledger.path
