"""The review of a ledger, by clicking: runs, filters, charts, the comparison with the account, the export."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from itnio_nb import Client, Ledger, Run, Sandbox, make_plan, submit_plan
from itnio_nb.api.models import State
from itnio_nb.forms.review import ReviewForm
from tests.support.factories import APP, group, many_orders, orders_frame, until
from tests.unit.forms.test_base import SOME_HOSTILE, assert_harmless_below, files_of, text_of

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(sandbox: Sandbox, client: Client, ledger: Ledger) -> list[Run]:
    """Two runs: four groups created; two created in another application, one refused."""
    first = submit_plan(make_plan(many_orders(4)), client, ledger).wait()
    sandbox.app_ids = [APP, "other"]
    rows = [(f"more-{at}", f"line-{at}", "5", "861000000", app) for at, app in enumerate(["other", "other", "wrong"])]
    second = submit_plan(make_plan(orders_frame(*rows)), client, ledger).wait()
    return [first, second]


@pytest.fixture
def form(runs: list[Run], client: Client, ledger: Ledger) -> Iterator[ReviewForm]:
    with closing(ReviewForm(client, ledger)) as made:
        made.wait(5)
        yield made


def pick(form: ReviewForm, **values: object) -> None:
    for name, value in values.items():
        getattr(form, name).value = value
    form.wait(5)


def names(form: ReviewForm) -> list[str]:
    shown: list[str] = form.groups.grid.data["groupName"].tolist()
    return shown


def test_it_shows_the_whole_ledger(form: ReviewForm, runs: list[Run]) -> None:
    """All runs, the newest first, and every group with its state."""
    first, second = runs
    assert [label for label, _ in form.runs.options] == [
        "All: 2 runs",
        f"{second.name} · 3 groups, 15 phones · finished",
        f"{first.name} · 4 groups, 12 phones · finished",
    ]
    assert text_of(form.summary) == "2 runs, 7 groups in the ledger."
    assert text_of(form.size) == "7 groups of 7"
    assert sorted(names(form)) == sorted([f"group-{at}" for at in range(4)] + [f"more-{at}" for at in range(3)])
    assert repr(form) == "ReviewForm: 2 runs. 7 groups shown: 6 created, 1 refused."
    assert form.groups.grid.data.index.tolist() == list(range(1, 8))


def test_one_run_is_picked(form: ReviewForm, runs: list[Run]) -> None:
    """Its own summary, its own groups in their order, with advice; and back to all."""
    pick(form, runs=runs[1].name)
    assert text_of(form.summary) == runs[1].summary
    assert names(form) == ["more-0", "more-1", "more-2"]
    assert "Field refused" in form.groups.grid.data["advice"].tolist()[2]
    pick(form, runs="")
    assert len(names(form)) == 7


@pytest.mark.parametrize(("state", "number"), [("created", 6), ("refused", 1), ("unknown", 0), ("all", 7)])
def test_groups_are_filtered_by_state(state: str, number: int, form: ReviewForm) -> None:
    """Every state can be chosen; the export is dead where nothing is left."""
    assert list(form.state.options) == ["all", *map(str, State)]
    pick(form, state=state)
    assert len(names(form)) == number
    assert text_of(form.size) == (f"{number} groups of 7" if number != 1 else "1 group of 7")
    assert form.export.disabled is (number == 0)
    assert repr(form).startswith(f"ReviewForm: 2 runs. {number} group")


def test_groups_are_filtered_by_application(form: ReviewForm) -> None:
    """Those that the ledger has; with a state, both hold."""
    assert set(form.application.options) == {"all", APP, "other", "wrong"}
    pick(form, application="other")
    assert names(form) == ["more-0", "more-1"]
    pick(form, state="refused")
    assert names(form) == []
    pick(form, application="wrong")
    assert names(form) == ["more-2"]


def test_groups_are_filtered_by_days(form: ReviewForm, runs: list[Run]) -> None:
    """Both days included, in UTC; a group that was never made has none."""
    today = datetime.now(UTC).date()
    for since, until_day, number in (
        (today, None, 6),
        (None, today, 6),
        (today, today, 6),
        (today + timedelta(days=1), None, 0),
        (None, today - timedelta(days=1), 0),
        (date(2020, 1, 1), date(2100, 1, 1), 6),
        (None, None, 7),
    ):
        pick(form, since=since, until=until_day)
        assert len(names(form)) == number, (since, until_day)
    pick(form, runs=runs[1].name, since=today)
    assert len(names(form)) == 3  # of a run, the time of each outcome


def test_a_filter_outlives_a_refresh(form: ReviewForm, runs: list[Run]) -> None:
    """What was picked stays picked."""
    pick(form, runs=runs[1].name, state="created", application="other")
    form.reload.click()
    form.wait(5)
    assert (form.runs.value, form.state.value, form.application.value) == (runs[1].name, "created", "other")
    assert names(form) == ["more-0", "more-1"]


def test_the_charts_follow_what_is_shown(form: ReviewForm) -> None:
    """Pictures in the page itself, with words for those who cannot see them."""
    both = form.charts.value
    assert both.count('<img alt="') == both.count('src="data:image/png;base64,') == 2
    assert 'alt="Outcomes: created 6, refused 1"' in both
    assert "Phones created over time" in both
    pick(form, state="refused")
    assert 'alt="Outcomes: refused 1"' in form.charts.value
    pick(form, state="unknown")
    assert 'alt="Outcomes: nothing"' in form.charts.value
    assert_harmless_below(form)


def test_comparing_tells_that_all_agrees(form: ReviewForm, sandbox: Sandbox, runs: list[Run]) -> None:
    """Every group, and that nothing differs; nothing is sent."""
    pick(form, application=APP)
    asked = sandbox.served["sipAdd", "0"]
    form.compare.click()
    form.wait(10)
    assert form.tabs.selected_index == 2
    assert "groups compared: " in text_of(form.compared)
    assert sandbox.served["sipAdd", "0"] == asked


def test_comparing_tells_what_has_drifted(form: ReviewForm, sandbox: Sandbox, client: Client) -> None:
    """What was deleted, what was made elsewhere; those rows alone."""
    sandbox.app_ids = None
    sandbox.delete_group(APP, "group-2")
    client.create_phones(group("foreign", "foreign"))
    form.compare.click()
    form.wait(10)
    assert text_of(form.compared).startswith("8 groups compared: 2 to look at, 0 settled.")
    table = form.differences.grid.data
    told = dict(zip(table["groupName"], table["advice"], strict=True))
    assert told["group-2"].startswith("It is no longer there. Was it deleted?")
    assert told["foreign"].endswith("created elsewhere.")
    assert len(told) == 2
    assert text_of(form.said).startswith("Warning: 8 groups compared")


def test_comparing_settles_what_is_unknown(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """And shows it at once."""
    plan = make_plan(many_orders(2), client, ledger)
    sandbox.faults = ",".join(["drop-after", *["query:-18-before"] * 60])
    submit_plan(plan, client, ledger).wait()
    sandbox.faults = None
    with closing(ReviewForm(client, ledger)) as form:
        assert "1 unknown" in repr(form)
        form.compare.click()
        form.wait(10)
        assert "1 settled." in text_of(form.compared)
        assert repr(form).splitlines()[0] == "ReviewForm: 1 run. 2 groups shown: 2 created."


@pytest.mark.slow
def test_comparing_with_a_server_that_is_down_is_said(form: ReviewForm, sandbox: Sandbox) -> None:
    """In words, and it can be tried again."""
    sandbox.stop()
    form.compare.click()
    form.wait(30)
    assert text_of(form.said).startswith("Error: ")
    assert not form.compare.disabled
    sandbox.start()
    form.compare.click()
    form.wait(10)
    assert "compared" in text_of(form.said)


def test_a_double_click_on_compare_looks_once(form: ReviewForm, sandbox: Sandbox) -> None:
    """As on each other button."""
    sandbox.app_ids = None
    asked = sandbox.served["sipQuery", "0"]
    for _ in range(3):
        form.compare.disabled = False
        form.compare.click()
    form.wait(10)
    assert sandbox.served["sipQuery", "0"] - asked == 3  # one listing of each application


def test_without_a_client_there_is_nothing_to_compare_with(runs: list[Run], ledger: Ledger) -> None:
    """The button is dead and says what to give; all else works."""
    with closing(ReviewForm(ledger=ledger)) as form:
        assert form.compare.disabled
        assert form.compare.tooltip == "Give a client, to compare: ReviewForm(client, ledger)"
        assert form.banner.value == ""
        assert len(names(form)) == 7
        form.compare.disabled = False
        form.compare.click()
        form.wait(5)
        assert text_of(form.said) == "Error: There is no account to compare with: ReviewForm(client, ledger)."
        pick(form, state="refused")
        assert names(form) == ["more-2"]


def test_the_banner_names_the_account(form: ReviewForm, sandbox: Sandbox) -> None:
    """As everywhere else."""
    assert text_of(form.banner).startswith(f"SANDBOX at {sandbox.base_url}")


def test_what_is_shown_is_exported(form: ReviewForm, runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """As CSV, named after the run; filters hold."""
    files = files_of(form, monkeypatch)
    form.export.click()
    form.wait(5)
    pick(form, runs=runs[1].name, state="created")
    form.export.click()
    form.wait(5)
    assert list(files) == ["all-runs-groups.csv", f"{runs[1].name}-groups.csv"]
    whole, part = (pd.read_csv(io.BytesIO(data), dtype=str) for data in files.values())
    assert (len(whole), part["groupName"].tolist()) == (7, ["more-0", "more-1"])
    assert text_of(form.said) == f"2 groups exported as {runs[1].name}-groups.csv."


def test_an_export_runs_no_formula(client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spreadsheet shows such a name as the text that it is."""
    submit_plan(make_plan(orders_frame(("=1+1+cmd", "@desk"))), client, ledger).wait()
    with closing(ReviewForm(client, ledger)) as form:
        files = files_of(form, monkeypatch)
        form.export.click()
        form.wait(5)
        (data,) = files.values()
        assert b'"\'=1+1+cmd"' in data
        assert b'"\'@desk"' in data
        assert b'"=1' not in data


@pytest.mark.slow
def test_what_others_write_is_shown(form: ReviewForm, client: Client, ledger: Ledger) -> None:
    """Once they pause, without a click; the filters stay."""
    pick(form, application=APP)
    submit_plan(make_plan(orders_frame(("fresh", "fresh"))), client, ledger).wait()
    until(lambda: "fresh" in names(form), 5)
    form.wait(5)
    assert form.application.value == APP
    assert form.runs.options[0][0] == "All: 3 runs"


def test_a_refresh_shows_it_at_once(form: ReviewForm, client: Client, ledger: Ledger) -> None:
    """For those who will not wait a second."""
    submit_plan(make_plan(orders_frame(("fresh", "fresh"))), client, ledger).wait()
    form.reload.click()
    form.wait(5)
    assert "fresh" in names(form)


def test_an_empty_ledger_is_shown(client: Client, ledger: Ledger) -> None:
    """With nothing to export, and nothing that fails."""
    with closing(ReviewForm(client, ledger)) as form:
        form.wait(5)
        assert repr(form) == "ReviewForm: 0 runs. 0 groups shown: none."
        assert form.export.disabled
        assert names(form) == []
        form.compare.click()
        form.wait(5)
        assert text_of(form.said) == "0 groups compared: 0 to look at, 0 settled."


def test_a_ledger_that_is_gone_is_said(form: ReviewForm, ledger: Ledger) -> None:
    """By the next look, in words."""
    ledger.path.unlink()
    until(lambda: text_of(form.said).startswith("Error: The ledger "), 5)
    form.reload.click()
    form.wait(5)
    assert "the file was deleted or replaced" in text_of(form.said)


def test_two_accounts_in_one_ledger_are_told_apart(form: ReviewForm, ledger: Ledger, sandbox: Sandbox) -> None:
    """Where a client is given, its own first; all are a choice away."""
    with Client(sandbox.add_account()) as other:
        submit_plan(make_plan(many_orders(2)), other, ledger).wait()
        with closing(ReviewForm(other, ledger)) as theirs:
            theirs.wait(5)
            assert repr(theirs) == "ReviewForm: 1 run. 2 groups shown: 2 created."
            theirs.account.value = False
            theirs.wait(5)
            assert repr(theirs).startswith("ReviewForm: 3 runs. 9 groups shown")
    with closing(ReviewForm(ledger=ledger)) as all_of_it:
        assert repr(all_of_it).startswith("ReviewForm: 3 runs. 9 groups shown")


@pytest.mark.parametrize("text", SOME_HOSTILE)
def test_hostile_names_are_text(text: str, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Of groups, applications and what the server says."""
    name = (text + "....")[:32]
    submit_plan(make_plan(orders_frame((name, "desk", "3", "861000000", text))), client, ledger).wait()
    client.create_phones(group((text[:26] + "-other")[:32], "other", app_id=text))
    with closing(ReviewForm(client, ledger)) as form:
        pick(form, application=text)
        assert names(form) == [name]
        form.compare.click()
        form.wait(10)
        assert_harmless_below(form)


def test_the_text_form_is_there_without_widgets(form: ReviewForm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words."""
    monkeypatch.setenv("ITNIO_WIDGETS", "off")
    assert form._repr_mimebundle_() == {"text/plain": repr(form)}


def test_a_closed_review_looks_no_more(form: ReviewForm, client: Client, ledger: Ledger) -> None:
    """What is written later does not wake it."""
    form.close()
    submit_plan(make_plan(orders_frame(("fresh", "fresh"))), client, ledger).wait()
    form.wait(1)
    assert text_of(form.summary) == "2 runs, 7 groups in the ledger."
