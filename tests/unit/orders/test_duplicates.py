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


SAME_TO_THE_EYE = [
    ("Caf\u00e9 1", "Cafe\u0301 1"), ("north hall", "north  hall"), ("north hall", "north\u00a0hall"),
    ("north hall", "north\u3000hall"), ("north hall", "north\u2009hall"), ("room-10", "room\u201310"),
    ("room-10", "room\u221210"), ("room-10", "room\u201110"), ("sales", "sa\u2060les"), ("sales", "sa\u200dles"),
    ("sales", "sales\ufe0f"), ("sales", "sa\u034fles"), ("sales", "sales\u3164"), ("sales", "sa\U000e0061les"),
    ("\uac00\uac01\uac02\uac03", "\u1100\u1161\uac01\uac02\uac03"),
    ("\u304c\u304c\u304c\u304c", "\u304b\u3099\u304c\u304c\u304c"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "other"), SAME_TO_THE_EYE)
def test_names_that_look_the_same(name: str, other: str) -> None:
    """Letters of several code points, blanks, dashes and characters that nobody sees: a warning at the second."""
    problem = f"differs from {name} in row 2 only in blanks, dashes or what nobody sees"
    found = warnings_of(groupName=[name, "other", other])
    repaired = "\u2060" in other  # reading takes it away: there are two of the same name
    assert ([4, "groupName", problem] in found) != repaired
    if repaired:
        assert errors_of((name, "one1"), (other, "two2")) == [
            (3, "groupName", "is a group name that row 2 has in the same application")
        ]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("room 1", "room 11"),
        ("room-1", "room_1"),
        ("a b c", "abc "),
        ("1-11", "11-1"),
        ("Café", "Cafè"),
        ("会议室一", "会议室二"),
    ],
)
def test_names_that_differ(name: str, other: str) -> None:
    """Another place of a dash, another accent, a blank that is missing: another name."""
    assert [one for one in warnings_of(groupName=[name, other]) if "differs" in str(one[2])] == []


def test_application_ids_that_only_look_different() -> None:
    """Told once, at the first row of the second."""
    found = warnings_of(appId=["4luaKsL2", "4luaKsL2", "4IuaKsL2", "4luaksL2", "4luaksL2", "other"])
    assert found == [[5, "appId", "differs from 4luaKsL2 in row 2 only in case or in letters that look alike"]]
