"""Results for people: outcomes, the summary line, the result files."""

from __future__ import annotations

import io
import tempfile
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itnio_nb import InputError, check_orders, read_orders
from itnio_nb.api.models import API_COLUMNS, State
from itnio_nb.ledger.claims import NewReceipt, SyncResult
from itnio_nb.orders.models import RESULT_COLUMNS, split_orders
from itnio_nb.runs.result_files import order_outcomes, write_results
from itnio_nb.runs.results import GroupStates, RunProgress, all_as_asked, differing_groups, run_summary
from tests.support.factories import orders_frame

KINDS = ["created", "existed", "refused", "unknown", "notsent", "invalid"]


def groups(*states: str, rows: list[int] | None = None, quantity: int = 10) -> pd.DataFrame:
    """A run's table with these states."""
    at = range(len(states))
    table = pd.DataFrame({column: [f"{column}-{number}" for number in at] for column in API_COLUMNS}, dtype=object)
    cells: dict[str, Any] = {
        "status": "0",
        "reason": [f"reason-{number}" for number in at],
        "advice": "advice",
        "at": "time",
    }
    cells |= {"owner": "owner", "newest_reason": ""}
    sent: dict[str, Any] = {
        "sent_display_num": table["displayNum"],
        "sent_phone_name": table["phoneName"],
        "sent_quantity": quantity,
    }
    table = table.assign(quantity=quantity, **sent, **cells)
    return table.assign(state=list(states), row=rows or [number + 2 for number in at])


def test_the_summary_line() -> None:
    """The design's own example."""
    states = ["created"] * 11 + ["exists"] * 3 + ["unknown"]
    table = groups(*states).assign(quantity=[30] * 10 + [10] + [5] * 4)
    assert run_summary(table, 310, "", over=True) == (
        "Done. Groups: 11 created (310 phones), 3 existed, 0 refused, 1 unknown, 0 not sent. "
        "Verified: 310 of 310 phones."
    )


def test_the_summary_of_every_ending() -> None:
    """Stopped, running, partial, one phone, a note."""
    stopped = run_summary(groups("created", "planned", quantity=1), None, "", over=True)
    assert stopped == "Stopped. Groups: 1 created (1 phone), 0 existed, 0 refused, 0 unknown, 1 not sent."
    partial = run_summary(groups("partial", "unknown"), None, "Why.", over=True)
    assert partial.startswith("Done. Groups: 0 created (0 phones), 0 existed, 1 partial, 0 refused, 1 unknown, 0 not ")
    assert partial.endswith(" sent. Why.")
    running = run_summary(groups("created", "planned", "sending"), None, "", over=False)
    assert running == "Running. Groups: 1 created (10 phones), 0 existed, 0 refused, 0 unknown, 2 to go."


def test_an_order_takes_the_worst_state_of_its_groups() -> None:
    """unknown, partial, refused, not sent, created, exists: in this order; and how many share it."""
    order = ["unknown", "partial", "refused", "planned", "created", "exists"]
    several = [order[at:][::-1] for at in range(6)]  # one order each, the worst last
    several += [["created", "refused", "refused"], ["sending"]]
    rows = [row for row, states in enumerate(several, 2) for _ in states]
    outcomes = order_outcomes(orders(8), none_found(), groups(*chain(*several), rows=rows))
    expected = ["not sent" if state == "planned" else state for state in order]
    assert outcomes["itnio_state"].tolist() == [*expected, "refused", "unknown"]
    shared = [reason.partition(":")[0] for reason in outcomes["itnio_reason"]]
    assert shared[:5] == [f"1 of {size} groups" for size in (6, 5, 4, 3, 2)]
    assert shared[5:] == ["reason-20", "2 of 3 groups", "reason-24"]


def orders(number: int) -> pd.DataFrame:
    return read_orders(orders_frame(*((f"group-{at}", f"phone-{at}") for at in range(number))))


def none_found() -> pd.DataFrame:
    return check_orders(orders(1))


def test_outcomes_without_a_receipt_come_from_plan_and_ledger() -> None:
    """What the plan knew, what another run learnt, or "not sent"."""
    cases = [
        # state, action, before, then: state and reason
        ("created", "create", "created", "created", "answer"),
        ("", "exists", "", "exists", "why"),
        ("", "in doubt", "unknown", "unknown", "why"),
        ("", "create", "created", "exists", "created in run R"),
        ("", "create", "partial", "exists", "partial in run R: not all phones that it asked for"),
        ("", "create", "sending", "unknown", "sending in run R"),
        ("", "create", "refused", "planned", "not sent"),
        ("", "create", "", "planned", "not sent"),
        ("", "in doubt", "planned", "planned", "not sent"),
        ("refused", "create", "refused", "refused", "answer"),
    ]
    states, actions, before, expected, reasons = (list(column) for column in zip(*cases, strict=True))
    raw = groups(*states).assign(
        action=actions, before=before, why="why", run="R", reason=["answer"] + [""] * 8 + ["answer"]
    )
    states_of = GroupStates(raw)
    table = states_of.table
    assert table["state"].tolist() == expected
    assert table["reason"].tolist() == reasons
    assert table["advice"].ne("").all()
    assert GroupStates(raw.iloc[:0]).table.empty
    assert states_of.known == [state or before for state, _, before, _, _ in cases]
    # What is held elsewhere may come back unsent; a refusal of this group alone is not sent again.
    assert states_of.to_send == [5, 6, 7]
    assert not states_of.finished


def test_what_another_run_has_created_otherwise_since_is_told() -> None:
    """A difference of what another run asked for; the plan itself has compared what was there before."""
    elsewhere: dict[str, Any] = {
        "before": "created",
        "why": "why",
        "run": "R",
        "sent_quantity": 7,
        "sent_phone_name": "other",
    }
    kept = groups("", "").assign(action=["create", "exists"], **elsewhere)
    reasons = GroupStates(kept).table["reason"].tolist()
    assert reasons == ["created in run R: phones 7, 10 asked for; phone name other, phoneName-0 asked for", "why"]
    assert differing_groups(GroupStates(kept).table["state"], pd.Series(reasons)).tolist() == [True, False]


@pytest.mark.parametrize(
    ("before", "found"), [("partial", "2 of 10 phones"), ("exists", "the account has it: 8 phones, 10 asked for")]
)
def test_what_another_run_has_found_otherwise_is_not_as_asked(before: str, found: str) -> None:
    """It is there with another number of phones than that run asked for, the number that this one asks for too."""
    kept = groups("").assign(action="create", before=before, why="", run="R", newest_reason=found)
    table = GroupStates(kept).table
    assert table["state"].tolist() == ["exists"]
    assert differing_groups(table["state"], table["reason"]).tolist() == [True]
    assert not all_as_asked(table)
    assert all_as_asked(GroupStates(kept.assign(before="exists", newest_reason="the account has it")).table)


def test_a_refusal_that_the_operator_can_mend_is_sent_again() -> None:
    """A wrong key, a full application: the cause is outside of the group; a field that was refused is not."""
    raw = groups("refused", "refused", "created").assign(action="create", before="", why="", run="")
    states_of = GroupStates(raw.assign(status=["-1", "-22", "0"]))
    assert states_of.to_send == [0]
    assert not states_of.finished
    assert GroupStates(raw.assign(status=["-22", "-22", "0"])).finished


def test_a_group_that_is_gone_is_known_by_the_words_of_its_plan() -> None:
    """A ledger of any version has nothing else to distinguish it from one whose outcome is unknown."""
    why = "created in run 20261123T203119Z, but no longer in the account (recreate=True makes it again)"
    raw = groups("", "").assign(
        action="in doubt", before="created", run="R", why=[why, "what became of it is not known"]
    )
    table = GroupStates(raw).table
    assert table["state"].tolist() == ["unknown", "exists"]
    assert "recreate=True" in table["advice"].iloc[0]
    assert GroupStates(raw.assign(before="planned")).table["state"].tolist() == ["planned", "planned"]


def test_progress_follows_the_ledger() -> None:
    """What is claimed, comes back or has a newer receipt is counted at once; partial too."""
    raw = groups("created", "", "refused", "").assign(action="create", before=["created", "", "refused", "sending"])
    raw = raw.assign(why="", run="", newest=[4, 0, 3, 0], status=["0", "", "-1", ""])
    progress = RunProgress(GroupStates(raw))
    assert (progress.counts, progress.mended, progress.seen) == ({"created": 1, "planned": 3}, {2}, 4)
    progress.learn(SyncResult([1, 2], [], [], []), [])
    assert progress.counts == {"created": 1, "sending": 2, "planned": 1}
    news = [NewReceipt(5, 2, "partial"), NewReceipt(6, 3, "created")]
    progress.learn(SyncResult([], [], news, []), [1])
    assert progress.counts == {"created": 2, "planned": 1, "partial": 1}
    assert (progress.answered, progress.mended, progress.seen, progress.newest) == (3, set(), 6, [4, 0, 5, 6])


def test_what_is_being_sent_is_unknown_once_the_run_is_over() -> None:
    """Nobody is left who has the answer."""
    raw = groups("sending").assign(action="create", before="sending", why="", run="R", reason="")
    assert GroupStates(raw, over=False).table["state"].tolist() == ["sending"]
    over = GroupStates(raw).table
    assert over["state"].tolist() == ["unknown"]
    assert over["reason"].tolist() == ["sent, and what became of it was not recorded"]
    assert "reconcile(client, ledger)" in over["advice"].iloc[0]
    assert GroupStates(raw, living=["owner"]).table["state"].tolist() == ["sending"]
    assert "1 being sent by another process, 0 not sent" in run_summary(raw, None, "", over=True)


def written(folder: Path, frame: pd.DataFrame, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    read = read_orders(frame)
    files = write_results(read, check_orders(read), table, folder, "RUN")
    return {kind: read_csv(path) for kind, path in files.items()}


def read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def test_six_files_with_the_original_columns(tmp_path: Path) -> None:
    """Each order once, in its file; headers and their order as they came, ours behind."""
    frame = orders_frame(*((f"group-{at}", f"phone-{at}") for at in range(6)), ("abc",))
    frame = frame[frame.columns[::-1]].rename(columns={"appId": "App ID"})
    table = groups("created", "exists", "refused", "partial", "unknown", "planned")
    files = written(tmp_path / "new" / "folder", frame, table)
    assert list(files) == KINDS
    assert [content["itnio_row"].tolist() for content in files.values()] == [
        ["2"],
        ["3"],
        ["4", "5"],
        ["6"],
        ["7"],
        ["8"],
    ]
    for content in files.values():
        assert content.columns.tolist() == ["App ID", *frame.columns[1:], *RESULT_COLUMNS]
    assert files["invalid"]["itnio_reason"].tolist() == [
        "groupName has 3 characters; 4 to 32 characters are allowed (API document)"
    ]
    assert files["notsent"]["itnio_state"].tolist() == ["not sent"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_files_are_for_spreadsheets(tmp_path: Path) -> None:
    """A byte order mark, every field quoted, nothing that a spreadsheet would run."""
    frame = orders_frame(
        ("=1+1x", "@sum", "3", "0861000000"), ("-20-", "+cmd|x"), ("'=was", "'quote"), ("-2000", "tab1")
    )
    files = write_results(read_orders(frame), none_found(), groups(*["created"] * 4), tmp_path, "RUN")
    content = files["created"].read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.decode("utf-8-sig").splitlines()[1].startswith('"\'=1+1x","\'@sum","3","0861000000"')
    table = read_csv(files["created"])
    assert table["groupName"].tolist() == ["'=1+1x", "'-20-", "'=was", "-2000"]
    assert table["phoneName"].tolist() == ["'@sum", "'+cmd|x", "'quote", "tab1"]


texts = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=6)
formula = st.tuples(st.sampled_from("'=+-@"), texts).map("".join)


# Few examples with many rows: each writes six files.
@settings(max_examples=10)
@given(st.lists(st.tuples(texts | formula, texts | formula, texts), min_size=1, max_size=20), st.booleans())
def test_a_result_file_reads_back_as_the_same_orders(rows: list[tuple[str, str, str]], extra: bool) -> None:
    """Our columns are ignored, the apostrophes are taken away again: cell by cell the same."""
    frame = orders_frame(*rows)
    if extra:
        frame["=Note"] = [name for _, name, _ in rows]
    before = read_orders(frame)
    with tempfile.TemporaryDirectory() as folder:
        files = write_results(before, none_found(), groups(), folder, "RUN")
        data = files["notsent"].read_bytes()
    again = read_orders(io.BytesIO(data))
    assert again.columns.tolist() == before.columns.tolist()
    assert again.to_numpy().tolist() == before.to_numpy().tolist()


def test_counts_add_up_whatever_happened(tmp_path: Path) -> None:
    """Every row of the orders is in exactly one file, split orders and invalid ones included."""
    frame = orders_frame(*((f"group-{at}", f"phone-{at}", str(at * 13)) for at in range(40)))
    read = read_orders(frame)
    findings = check_orders(read)
    table = split_orders(read[read.index != 2])
    states = [list(State)[at % len(State)] for at in range(len(table))]
    table = table.assign(state=[str(state) for state in states], status="", reason="r", advice="a", at="t")
    files = write_results(read, findings, table, tmp_path, "RUN")
    rows = [row for path in files.values() for row in read_csv(path)["itnio_row"]]
    assert sorted(map(int, rows)) == read.index.to_list()


def test_writing_again_replaces(tmp_path: Path) -> None:
    """The files of a run have its newest state; a folder that cannot be written is an error with what to do next."""
    for state in ("planned", "created"):
        files = written(tmp_path, orders_frame(("sales",)), groups(state))
    assert (len(files["created"]), len(files["notsent"])) == (1, 0)
    with pytest.raises(InputError, match="choose another folder"):
        written(tmp_path / "RUN-created.csv", orders_frame(("sales",)), groups("created"))
