"""Names that are there twice, that splitting makes twice, or that only look the same."""

from __future__ import annotations

import pytest

from tests.support.spreadsheets import errors_of, warnings_of


def test_of_duplicates_the_first_stands() -> None:
    """Each later row has the error and names the first; another application is another world."""
    assert errors_of(
        ("sales", "one1"), ("sales", "two2"), ("sales", "tri3", "3", "861000000", "other"), ("sales", "one1")
    ) == [
        (3, "groupName", "is a group name that row 2 has in the same application"),
        (5, "groupName", "is a group name that row 2 has in the same application"),
        (5, "phoneName", "is a phone name that row 2 has in the same application"),
    ]


def test_duplicates_that_splitting_would_cause() -> None:
    """Whichever of the two comes later has the error, and the problem names which of them is split."""
    assert errors_of(("sales", "desk", "120"), ("sales_3", "other")) == [
        (3, "groupName", "is a group name that row 2 also makes when it is split, in the same application")
    ]
    assert errors_of(("sales_2", "other"), ("sales", "desk", "51")) == [
        (3, "groupName", "becomes sales_2 when the order is split, a group name that row 2 has in the same application")
    ]
    assert errors_of(("sales_4", "other"), ("sales", "desk", "150")) == []
    assert errors_of(("sales", "desk", "51"), ("other", "desk_2")) == [
        (3, "phoneName", "is a phone name that row 2 also makes when it is split, in the same application")
    ]


@pytest.mark.parametrize(
    ("name", "other"),
    [("Reception", "reception"), ("sales", "sаles"), ("room-10", "room-1O"), ("hall1", "halll"), ("ＦＡＸ１", "fax1")],
)
def test_names_that_only_look_different(name: str, other: str) -> None:
    """Case, Cyrillic letters, 0 and O, 1 and l, full-width letters: a warning at the second, in one application."""
    problem = f"differs from {name} in row 2 only in case or in letters that look alike"
    assert warnings_of(groupName=[name, "other", other]) == [[4, "groupName", problem]]
    assert warnings_of(groupName=[name, "other", other], appId=["x", "x", "y"]) == []
