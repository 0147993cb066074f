"""Accepted warnings: these cells with these values, kept as JSON, and nothing else."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itnio_nb import check_orders, read_orders
from itnio_nb.orders.rules.accepted import Accepted
from itnio_nb.orders.rules.kinds import find_kinds
from tests.support.factories import many_orders, orders_frame

ALIKE = ("Sales", "sales", "SALES", "north", "North")


def findings_of(**columns: list[str]) -> pd.DataFrame:
    """The findings of orders that are good but for these columns."""
    return check_orders(read_orders(many_orders(max(map(len, columns.values()))).assign(**columns)))


def open_rows(findings: pd.DataFrame, accepted: Accepted) -> list[int]:
    return sorted(findings["row"][~accepted.mask(findings)].tolist())


def test_a_kind_is_accepted_and_taken_back() -> None:
    """All its findings, and those of no other kind; a set that was given away stays as it was."""
    findings = findings_of(groupName=[*ALIKE, "null", "none"])
    kinds, numbers = find_kinds(findings)
    assert kinds["count"].tolist() == [3, 2]
    none = Accepted()
    accepted = none.add(findings[numbers == 0])
    assert accepted.mask(findings).tolist() == (numbers == 0).tolist()
    assert accepted.add(findings).mask(findings).all()
    assert accepted.remove(findings[numbers == 0]) == none == Accepted()
    assert not none.mask(findings).any()


def test_errors_and_repairs_are_never_accepted() -> None:
    """Whoever adds them."""
    findings = findings_of(groupName=["ab", "null", " north "])
    assert sorted(findings["severity"]) == ["error", "repaired", "warning"]
    accepted = Accepted().add(findings)
    assert len(accepted.marks) == 1
    assert set(findings["severity"][accepted.mask(findings)]) == {"warning"}
    as_errors = findings.assign(severity="error")
    assert not accepted.mask(as_errors).any()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("Sales", "sales", "SALES", "north", "North"), []),  # nothing was changed
        (("Sales", "saleS", "SALES", "north", "North"), [3]),  # a cell was edited
        (("Sales", "sales2", "SALES", "north", "North"), []),  # and mended
        (("Sales", "sales", "SALES", "north", "NORTH"), [6]),
        (("Sales", "sales", "SALES", "North", "north"), [6]),  # two cells have changed places
        (("Sales", "sales", "SALES", "north", "North", "nORTH"), [7]),  # a new finding of the kind
        (("SALEs", "sales", "SALES", "north", "North"), [3, 4]),  # what they differ from is another name now
        (("Sales", "sales", "SALES", "north", "null"), [6]),  # another problem in that cell
    ],
)
def test_what_changes_is_open_again(names: tuple[str, ...], expected: list[int]) -> None:
    """An edit of the cell, or of the name that it is compared with, and the same in another row; an undo closes it."""
    accepted = Accepted().add(findings_of(groupName=list(ALIKE)))
    assert open_rows(findings_of(groupName=list(names)), accepted) == expected


def test_numbers_of_other_cells_make_no_difference() -> None:
    """One more order with the same display number is no other finding."""
    sizes = ["11000", "300"]
    accepted = Accepted().add(findings_of(quantity=sizes))
    assert len(accepted.marks) == 1
    assert open_rows(findings_of(quantity=[*sizes, "200"]), accepted) == []
    assert open_rows(findings_of(quantity=sizes, displayNum=["8610850009", "8610850009"]), accepted) == [2]


def test_a_row_is_known_however_it_is_kept() -> None:
    """As an integer or as an object; as a label of another kind it is another row."""
    findings = findings_of(groupName=list(ALIKE))
    accepted = Accepted().add(findings)
    assert accepted.mask(findings.astype({"row": object})).all()
    assert accepted.mask(findings.astype(object)).all()
    labels = findings.assign(row=findings["row"].map(str) + "a")
    assert not accepted.mask(labels).any()
    assert Accepted().add(labels).mask(labels).all()


cells = st.sampled_from(["null", "n/a", "north", "North", "x", " a b ", "1.5", "1.50", "-", "ab\u200dcd"])


@given(st.lists(st.tuples(cells, cells, cells, cells, cells), max_size=12))
def test_it_is_the_same_after_a_reload(rows: list[tuple[str, ...]]) -> None:
    """As JSON that holds no value of a cell."""
    findings = check_orders(read_orders(orders_frame(*rows)))
    accepted = Accepted().add(findings)
    kept = accepted.to_json()
    assert Accepted.from_json(kept) == Accepted.from_json(kept.encode()) == accepted
    assert Accepted.from_json(kept).mask(findings).tolist() == (findings["severity"] == "warning").tolist()
    assert "north" not in kept.lower()


RUBBISH: list[object] = [
    None,
    3,
    "",
    "{",
    "null",
    "3",
    "[]",
    "{}",
    '"x"',
    b"\xff\xfe",
    "[" * 100_000,
    '{"accepted": 5}',
]
RUBBISH += ['{"accepted": null}', '{"accepted": {"0f": 1}}', '{"accepted": [1, null, [], {}, "zz", "0f", ""]}']
RUBBISH += [
    json.dumps({"accepted": [f"{'0f' * 8}\n", "0F" * 8, "0f" * 9, "-0f" + "0" * 13]}),
    object(),
    [],
    {},
    float("nan"),
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=range(len(RUBBISH)))
def test_a_draft_can_hold_anything(rubbish: object) -> None:
    """What cannot be read accepts nothing."""
    assert Accepted.from_json(rubbish) == Accepted()


def test_what_can_be_read_of_a_draft_is_kept() -> None:
    """Beside what cannot."""
    assert len(Accepted.from_json(json.dumps({"accepted": [7, "0f" * 8, "x"]})).marks) == 1
