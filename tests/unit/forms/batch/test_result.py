"""Step 5 of a batch: what became of each order; resolved, tried again, downloaded, handed over."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import Client, Sandbox
from tests.support.factories import group, many_orders, orders_frame
from tests.support.forms import Batch, click, data_of, downloads_of, lose_an_answer, text_of, wait_for_poll


def test_a_batch_is_created(batch: Batch, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in tabs, each filled once it is looked at; said in one line, as ledger and sandbox have it.

    Its results are six files in one archive for the page, and beside the notebook: each order is in exactly one.
    """
    batch.create(pd.concat([many_orders(5), orders_frame(("abc",))]))
    result = batch.form.result
    assert batch.sizes == {"Created": 5, "Invalid": 1}
    assert text_of(result.summary).startswith("Done. Groups: 5 created (15 phones)")
    assert len(sandbox.phones) == 15
    assert repr(batch.form).startswith("BatchForm: SANDBOX. Step 5 Result.\nDone. Groups: 5 created")
    assert data_of(result.grids["Created"])["groupName"].tolist() == [f"group-{at}" for at in range(5)]
    assert batch.form.monitor.bar.value == 5
    assert result.grids["Invalid"].data_grid is None
    result.tabs.selected_index = 5
    wait_for_poll(batch.form)
    assert data_of(result.grids["Invalid"])["column"].tolist() == ["groupName"]
    files = downloads_of(batch.form, monkeypatch)
    click(batch.form, result.download)
    ((name, data),) = files.items()
    assert result.record is not None
    assert name == f"{result.record.name}-results.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        rows = {entry.rsplit("-", 1)[1]: len(pd.read_csv(archive.open(entry))) for entry in archive.namelist()}
    none = dict.fromkeys(("existed.csv", "refused.csv", "unknown.csv", "notsent.csv"), 0)
    assert rows == {"created.csv": 5, "invalid.csv": 1, **none}
    assert len(list(Path("results").glob("*.csv"))) == 6
    assert "Six files with 6 orders are in results/ too" in text_of(result.note)


def test_groups_that_were_there_are_nothing_to_hand_over(batch: Batch, client: Client) -> None:
    """They are another's; their tab is the first that has something, and is opened."""
    client.create_phones(group("group-0", "phone-0"))
    batch.create(many_orders(1))
    assert batch.sizes == {"Existed": 1}
    assert batch.form.result.hand_over.disabled
    assert batch.form.result.tabs.titles[batch.form.result.tabs.selected_index] == "Existed 1"
    assert batch.form.result.grids["Existed"].rows == [2]


def test_an_unknown_group_that_is_absent_can_be_sent_again(batch: Batch, sandbox: Sandbox) -> None:
    """Listing makes it "not sent", and the rest is tried again."""
    lose_an_answer(batch, sandbox, "500-before")
    sandbox.faults = None
    click(batch.form, batch.form.result.reconcile)
    assert batch.sizes == {"Created": 1, "Not sent": 1}
    click(batch.form, batch.form.result.retry)
    assert batch.sizes == {"Created": 2}
