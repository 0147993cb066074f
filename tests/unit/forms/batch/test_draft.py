"""Drafts: what is kept of edited orders, who replaces and deletes it, what is left alone; the offer in a form."""

from __future__ import annotations

import json
import stat
import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from itnio_nb import Account, BatchForm, Client, InputError, Ledger, Sandbox, read_orders
from itnio_nb.forms.batch.input.drafts.draft import DraftStore, draft_path
from itnio_nb.orders.rules.accepted import Accepted
from tests.support.factories import NOWHERE, many_orders, orders_frame, until
from tests.support.forms import Batch, click, status, text_of, wait_for_poll

ODD = [
    "line\nbreak", "tab\there", '"quoted"', "=1+1", "<b>x</b>", "007", "", " blank ", "é中文🙂", "a" * 5000,
    "NA", "NaN", "None", "\u202eabc", "1e5",
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> DraftStore:
    return DraftStore(tmp_path / "ledger.sqlite.draft-x.json")


@pytest.mark.parametrize("text", ODD)
def test_a_draft_is_as_it_was(store: DraftStore, text: str) -> None:
    """Cells, extra columns, rows, source, repairs and what was kept beside; for its owner's eyes alone."""
    frame = orders_frame(("sales", "desk", "3", "+86 1000000"), ("ab", text)).assign(Site=text)
    orders = read_orders(frame).drop(index=2)
    store.save(orders, {"accepted": [["groupName", text]]})
    draft = DraftStore(store.path).load()
    assert draft is not None
    pd.testing.assert_frame_equal(draft.orders, orders)
    assert str(draft.orders.attrs["itnio"]) == str(orders.attrs["itnio"])
    assert draft.orders.attrs["itnio"].repairs == orders.attrs["itnio"].repairs
    assert draft.extra == {"accepted": [["groupName", text]]}
    assert draft.saved.tzinfo is not None
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert list(store.path.parent.iterdir()) == [store.path]


def orders(number: int) -> pd.DataFrame:
    return read_orders(many_orders(number))


def test_the_later_form_wins_and_nobody_deletes_what_is_not_theirs(store: DraftStore) -> None:
    """Two stores on one path: a draft that was written since stays."""
    other = DraftStore(store.path)
    assert (store.load(), store.problem) == (None, "")
    store.discard()
    store.save(orders(2))
    other.save(orders(3))
    store.discard()
    draft = DraftStore(store.path).load()
    assert draft is not None
    assert len(draft.orders) == 3
    store.save(orders(4))
    other.discard()
    assert store.path.exists()
    store.discard()
    assert list(store.path.parent.iterdir()) == []
    store.discard()


def test_no_reader_meets_half_a_draft(store: DraftStore) -> None:
    """While two write it in turn, each read is one of theirs, whole."""
    small, large = orders(1), orders(400)
    store.save(small)
    done = threading.Event()

    def write(which: pd.DataFrame) -> None:
        mine = DraftStore(store.path)
        while not done.is_set():
            mine.save(which)

    threads = [threading.Thread(target=write, args=(which,)) for which in (small, large)]
    for thread in threads:
        thread.start()
    sizes, problems = set(), set()
    for _ in range(60):
        reader = DraftStore(store.path)
        draft = reader.load()
        problems.add(reader.problem)
        sizes.add(len(draft.orders) if draft is not None else 0)
    done.set()
    for thread in threads:
        thread.join()
    assert problems == {""}
    assert sizes <= {1, 400}


def newer(path: Path) -> None:
    head, _, body = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps({**json.loads(head), "version": 2}).encode() + b"\n" + body)


def with_a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def as_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda path: path.write_bytes(b""), "it is damaged"),
    (lambda path: path.write_bytes(path.read_bytes()[:-20]), "it is damaged"),
    (lambda path: path.write_bytes(path.read_bytes()[:100]), "it is damaged"),
    (lambda path: path.write_bytes(path.read_bytes().replace(b"group-1", b"group-9")), "it is damaged"),
    (lambda path: path.write_bytes(b"\x00" * 400), "it is damaged"),
    (lambda path: path.write_bytes(b"[1, 2]\n{}"), "it is damaged"),
    (lambda path: path.write_bytes(b"{}\n{}"), "it is damaged"),
    (lambda path: path.write_bytes(b"null"), "it is damaged"),
    (lambda path: path.write_bytes(b"[" * 2000), "it is damaged"),
    (lambda path: path.write_text("groupName,phoneName\na,b\n"), "it is damaged"),
    (newer, "it has format 2, this version of itnio-nb reads 1"),
    (with_a_link, "is a symbolic link"),
    (as_a_folder, "Is a directory"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGES)
def test_what_cannot_be_read_is_left_there(damage: Callable[[Path], object], words: str, store: DraftStore) -> None:
    """Told in a sentence with its path; the next draft is kept beside it, found again and deleted alone."""
    store.save(orders(2))
    damage(store.path)
    before = store.path.read_bytes() if store.path.is_file() else b""
    mine = DraftStore(store.path)
    assert mine.load() is None
    assert str(store.path) in mine.problem
    assert words in mine.problem
    mine.save(orders(3))
    found = DraftStore(store.path)
    draft = found.load()
    assert draft is not None
    assert (len(draft.orders), words in found.problem) == (3, True)
    found.discard()
    assert DraftStore(store.path).load() is None
    assert (store.path.read_bytes() if store.path.is_file() else b"") == before


def test_a_draft_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With the reason, and that the edits are in the form alone."""
    lost = DraftStore(tmp_path / "gone" / "draft.json")
    with pytest.raises(InputError, match=r"These edits are in this form alone: .*draft.json cannot be written"):
        lost.save(orders(1))


def test_each_account_has_a_draft_of_its_own(ledger: Ledger, sandbox: Sandbox) -> None:
    """No key is in the name; sandboxes, which come and go with their keys, share one."""
    accounts = [Account("key-1", "s", NOWHERE), Account("key-2", "s", NOWHERE), Account("key-1", "s", f"{NOWHERE}2")]
    names = {draft_path(ledger, account).name for account in accounts}
    assert len(names) == 3
    assert not any("key" in name for name in names)
    assert draft_path(ledger, sandbox.account).name == "ledger.sqlite.draft-sandbox.json"


# In a form.


def draft_of(ledger: Ledger) -> Path:
    return ledger.beside(".draft-sandbox.json")


def offer(batch: Batch) -> str:
    return text_of(batch.form.orders.draft.offer.text)


def edit(batch: Batch, ledger: Ledger) -> None:
    """Read three orders, and change one by hand."""
    batch.upload("phones.csv", many_orders(3).assign(Site="Hall").to_csv(index=False).encode())
    assert not draft_of(ledger).exists()  # as they were read they are in the file
    batch.type(3, "groupName", "edited")
    assert draft_of(ledger).exists()


def test_edited_orders_are_offered_again(batch: Batch, client: Client, ledger: Ledger) -> None:
    """In one line, with whence, how many and when; gone on with, they are edited orders as before."""
    edit(batch, ledger)
    with closing(BatchForm(client, ledger)) as made:
        again = Batch(made)
        words = offer(again)
        assert words.startswith("Orders from phones.csv, 3 rows, edited ")
        assert " UTC, were not submitted." in words
        assert made.orders.orders.empty
        click(made, made.orders.draft.offer.yes)
        assert offer(again) == ""
        assert made.orders.orders["groupName"].tolist() == ["group-0", "edited", "group-2"]
        assert made.orders.orders["Site"].tolist() == ["Hall"] * 3
        assert made.orders.edited
        again.paste(many_orders(5))
        assert made.orders.question.is_open


def test_a_draft_that_is_discarded_is_gone(batch: Batch, client: Client, ledger: Ledger) -> None:
    """And nothing else of the form changes."""
    edit(batch, ledger)
    with closing(BatchForm(client, ledger)) as made:
        click(made, made.orders.draft.offer.no)
        assert not draft_of(ledger).exists()
        assert not made.orders.draft.offer.is_open
        assert made.orders.orders.empty


def test_a_run_ends_its_draft(batch: Batch, client: Client, ledger: Ledger) -> None:
    """What is submitted is in the ledger: nothing is offered, nothing asked before the next batch."""
    edit(batch, ledger)
    click(batch.form, batch.form.plan_it)
    assert draft_of(ledger).exists()
    batch.submit()
    assert not draft_of(ledger).exists()
    click(batch.form, batch.form.result.new)
    assert (batch.form.orders.question.is_open, batch.form.orders.orders.empty) == (False, True)
    with closing(BatchForm(client, ledger)) as made:
        assert not made.orders.draft.offer.is_open


def test_a_new_batch_ends_its_draft_after_the_question(batch: Batch, ledger: Ledger) -> None:
    """Not before it is answered."""
    edit(batch, ledger)
    click(batch.form, batch.form.result.new)
    assert text_of(batch.form.orders.question.text) == "Replace 3 edited orders by an empty batch?"
    assert draft_of(ledger).exists()
    click(batch.form, batch.form.orders.question.yes)
    assert batch.form.orders.orders.empty
    assert not draft_of(ledger).exists()


def test_nothing_is_written_over_a_draft_that_is_offered(batch: Batch, client: Client, ledger: Ledger) -> None:
    """Other orders can be read and edited meanwhile; once it is discarded, their edits are kept."""
    edit(batch, ledger)
    before = draft_of(ledger).read_bytes()
    with closing(BatchForm(client, ledger)) as made:
        again = Batch(made)
        again.paste(many_orders(2))
        assert not made.is_unsaved()
        again.type(2, "groupName", "another")
        assert made.is_unsaved()  # leaving the page asks first
        click(made, made.result.new, made.orders.question.no)
        assert draft_of(ledger).read_bytes() == before
        assert made.orders.draft.offer.is_open
        click(made, made.orders.draft.offer.yes)
        assert text_of(made.orders.question.text) == "Replace 2 edited orders by the draft (3 rows)?"
        click(made, made.orders.question.no)
        assert made.orders.draft.offer.is_open
        assert draft_of(ledger).read_bytes() == before
        click(made, made.orders.draft.offer.no)
        until(draft_of(ledger).exists)
        assert not made.is_unsaved()
        draft = DraftStore(draft_of(ledger)).load()
        assert draft is not None
        assert draft.orders["groupName"].tolist() == ["another", "group-1"]


def test_edits_that_cannot_be_written_are_unsaved(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving the page asks first, until they are in a draft."""

    def refuse(*_: object) -> None:
        raise InputError("These edits are in this form alone: no space.")

    batch.upload("phones.csv", many_orders(3).to_csv(index=False).encode())
    with monkeypatch.context() as full:
        full.setattr(DraftStore, "save", refuse)
        batch.type(2, "groupName", "edited")
        until(batch.form.is_unsaved)
    batch.type(2, "groupName", "once-more")
    until(lambda: not batch.form.is_unsaved())


def test_a_draft_of_what_a_run_has_is_not_offered(batch: Batch, client: Client, ledger: Ledger) -> None:
    """The form died between the run and the end of its draft."""
    edit(batch, ledger)
    kept = draft_of(ledger).read_bytes()
    click(batch.form, batch.form.plan_it)
    batch.submit()
    draft_of(ledger).write_bytes(kept)
    with closing(BatchForm(client, ledger)) as made:
        assert not made.orders.draft.offer.is_open
        assert not draft_of(ledger).exists()


def test_edits_are_written_at_most_once_a_second(batch: Batch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first at once, the last of many soon after."""
    written: list[float] = []
    save = DraftStore.save

    def timed(store: DraftStore, *given: Any) -> None:
        written.append(time.monotonic())
        save(store, *given)

    monkeypatch.setattr(DraftStore, "save", timed)
    edit(batch, ledger)
    for number in range(20):
        batch.type(2, "groupName", f"name-{number}")
    until(lambda: "name-19" in draft_of(ledger).read_text())
    assert all(later - before >= 0.95 for before, later in pairwise(written))
    assert len(written) >= 2


def test_a_draft_that_cannot_be_read_is_told_in_the_form(batch: Batch, client: Client, ledger: Ledger) -> None:
    """In one line; the form works, and keeps its edits beside it."""
    draft_of(ledger).write_text("{}")
    with closing(BatchForm(client, ledger)) as made:
        again = Batch(made)
        assert "cannot be read as a draft (it is damaged). It is left there" in text_of(made.orders.draft.note)
        again.paste(many_orders(2))
        again.type(2, "groupName", "another")
        wait_for_poll(made)
        assert status(made) == ""
    assert draft_of(ledger).read_text() == "{}"
    draft = DraftStore(draft_of(ledger)).load()
    assert draft is not None
    assert len(draft.orders) == 2


def accepted_in(ledger: Ledger) -> object:
    draft = DraftStore(draft_of(ledger)).load()
    return draft.extra if draft is not None else None


def test_accepted_warnings_are_in_the_draft(batch: Batch, client: Client, ledger: Ledger) -> None:
    """After one reload and after two, though nothing was edited between."""
    edit(batch, ledger)
    batch.type(4, "displayNum", "0000000")
    findings = batch.form.orders.findings
    assert "warning" in set(findings["severity"])
    batch.form.orders._accept_warnings(Accepted().add(findings))
    accepted = batch.form.orders.draft_extra()
    assert accepted != Accepted().to_json()
    until(lambda: accepted_in(ledger) == accepted)
    for _ in range(2):
        with closing(BatchForm(client, ledger)) as made:
            click(made, made.orders.draft.offer.yes)
            assert made.orders.draft_extra() == accepted
        assert accepted_in(ledger) == accepted
