"""Sums: for files of every mixture, each number that is told adds up to the rows of the file."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import BatchForm, Client, Ledger, Plan, Sandbox, runbook_outcome
from itnio_nb.orders.check import invalid_rows
from tests.support.factories import APP, group, orders_frame
from tests.support.forms import Batch, click, text_of

_KINDS = ("fresh", "large", "existing", "differing", "taken", "wrong", "invalid", "twice")


def mixture(number: int) -> pd.DataFrame:
    """Orders of some kinds: a file of its own for each number, the first of one kind alone, up to 40 rows."""
    drawn = random.Random(number)
    kinds = [_KINDS[number]] * 3 if number < len(_KINDS) else drawn.choices(_KINDS, k=drawn.randint(4, 40))
    rows = []
    for at, kind in enumerate(kinds):
        name = f"group-{at}" if kind != "twice" else "group-twice"
        quantity = {"large": "120", "invalid": "none"}.get(kind, "3")
        phone = "taken" if kind == "taken" and "taken" not in kinds[:at] else f"phone-{at}"
        rows.append((name, phone, quantity, "861000000", "wrong" if kind == "wrong" else APP))
    return orders_frame(*rows).assign(kind=kinds)


def prepare(client: Client, orders: pd.DataFrame) -> None:
    """Create, as a colleague does, what some orders meet."""
    client.create_phones(group("somebody", "taken"))
    for name, phone, kind in orders[["groupName", "phoneName", "kind"]].itertuples(index=False, name=None):
        if kind in ("existing", "differing"):
            client.create_phones(group(name, phone, 3 if kind == "existing" else 2))


def rows_as_asked(orders: pd.DataFrame, sandbox: Sandbox) -> int:
    """How many orders are there as asked for, by what the server has; of two with one name, the first."""
    there = sandbox.phones.groupby(["appId", "groupName"]).size().to_dict()
    seen, number = set(), 0
    for name, quantity, app_id in orders[["groupName", "quantity", "appId"]].itertuples(index=False, name=None):
        if not quantity.isdigit() or (app_id, name) in seen:
            continue
        seen.add((app_id, name))
        sizes = [min(50, int(quantity) - at) for at in range(0, int(quantity), 50)]
        names = [name if not at else f"{name}_{at + 1}" for at in range(len(sizes))]
        number += [there.get((app_id, one), 0) for one in names] == sizes
    return number


def number_in(text: str, pattern: str) -> int:
    """The number that a text names, 0 where it names none."""
    found = re.search(pattern, text)
    return int(found[1].replace(",", "")) if found else 0


@pytest.fixture
def batch(client: Client, ledger: Ledger) -> Iterator[Batch]:
    with closing(BatchForm(client, ledger)) as made:
        yield Batch(made)


@pytest.mark.parametrize("number", range(24))
def test_all_that_is_told_adds_up_to_the_file(
    number: int, batch: Batch, client: Client, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Plan, sentence, tabs, summary, files and exit code; green where every row is there as asked, and only there."""
    sandbox.app_ids = [APP]
    orders = mixture(number)
    prepare(client, orders)
    form = batch.form
    batch.paste(orders)
    if not form.plan_it.disabled:
        click(form, form.plan_it)
    plan = form.plan.plan
    invalid = orders["kind"].isin(["invalid", "wrong"]).sum() + max(0, orders["kind"].eq("twice").sum() - 1)
    if plan is None:  # nothing could be planned
        assert orders["kind"].eq("invalid").all()
        assert text_of(form.plan_hint) == "Nothing to plan yet: every row has an error."
        return
    assert len(invalid_rows(plan.findings)) == plan.left_out == invalid
    assert number_in(plan.summary, r"(\d+) rows? invalid") == invalid
    assert plan.table["row"].nunique() + plan.left_out == len(orders)
    sentence = f"{text_of(form.confirm.sentence)} {text_of(form.confirm.warning)}"
    assert number_in(sentence, r"([\d,]+) phones?") == plan.phones
    assert number_in(sentence, r"(\d+) of \d+ rows? (?:is|are) left out") == invalid
    assert number_in(sentence, r"\d+ of (\d+) rows? (?:is|are) left out") == (len(orders) if invalid else 0)
    if not plan.groups:
        assert form.confirm.submit.disabled
        return
    # Some answers are lost for good, some runs are stopped by the server before all was sent.
    spoilt = number % 3
    if spoilt:
        fault = "drop-after" if spoilt == 1 else "-17-before"
        sandbox.faults = ",".join(["none", fault, *["query:-18-before"] * 60])
    batch.submit()
    require_sums(batch, plan, orders, sandbox, tmp_path)
    sandbox.faults = None
    if "Settle unknown" in batch.enabled:
        click(form, form.result.reconcile)
        require_sums(batch, plan, orders, sandbox, tmp_path)


def require_sums(batch: Batch, plan: Plan, orders: pd.DataFrame, sandbox: Sandbox, folder: Path) -> None:
    """Require that what is told of the run of a form, in each place, is told of every row of its orders."""
    run = batch.form.monitor.record
    assert run is not None
    counts, summary = Counter(run.table["state"]), run.summary
    told = {
        "created": number_in(summary, r"([\d,]+) created"),
        "exists": number_in(summary, r"([\d,]+) existed"),
        "partial": number_in(summary, r"([\d,]+) partial"),
        "refused": number_in(summary, r"([\d,]+) refused"),
        "unknown": number_in(summary, r"([\d,]+) unknown"),
        "planned": number_in(summary, r"([\d,]+) not sent"),
    }
    assert told == {state: counts[state] for state in told}
    assert sum(told.values()) == len(run.table)
    assert (run.rows, run.left_out) == (len(orders), len(orders) - run.table["row"].nunique())
    assert number_in(summary, r"(\d+) of \d+ rows? left out") == run.left_out
    assert text_of(batch.form.result.summary).startswith(summary)
    files = {kind: len(pd.read_csv(path)) for kind, path in run.write_results(folder).items()}
    assert sum(files.values()) == len(orders)
    assert files["invalid"] == run.left_out
    sizes = batch.sizes
    assert sum(sizes.values()) == len(run.table) + run.left_out
    assert sizes.get("Invalid", 0) == run.left_out
    is_whole = rows_as_asked(orders, sandbox) == len(orders)
    assert run.as_asked == (is_whole and run.proven and "unknown" not in counts)
    assert ("class='good'" in batch.form.result.summary.value) == run.as_asked
    assert (batch.form.monitor.bar.bar_style == "success") == run.as_asked
    outcome = runbook_outcome(plan, run)
    assert outcome.summary == summary
    assert (outcome.code == 0) == run.as_asked
