"""The panel of findings: counts that add up, a line for each kind, clicks, warnings that are accepted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pandas as pd
import pytest

from itnio_nb import check_orders, read_orders
from itnio_nb.forms.base import Form
from itnio_nb.forms.batch.findings import FindingsPanel
from itnio_nb.orders.rules.accepted import Accepted
from tests.support.factories import many_orders
from tests.support.forms import send_from_page
from tests.support.hostile import TEXTS

NAMES = ["ab", "abc", "Sales", "sales", "SALES", " north ", "null", "east", "EAST"]


class Desk:
    """A panel in a form, and what it has told."""

    def __init__(self) -> None:
        self.form = Form("Batch")
        self.told: list[Any] = []
        self.panel = FindingsPanel(self.form, self.told.append, self.told.append, self.told.append)
        self.form.children = (self.panel.body,)

    def close(self) -> None:
        self.form.close()

    def show(self, names: list[str], accepted: Accepted | None = None) -> pd.DataFrame:
        findings = check_orders(read_orders(many_orders(len(names)).assign(groupName=names)))
        self.panel.show(findings, accepted or Accepted())
        return findings

    def send(self, **message: Any) -> list[Any]:
        """Give the panel a message as its page does; return what it tells."""
        self.told.clear()
        send_from_page(self.panel.body, method="custom", content=message)
        self.form.wait(60)
        return list(self.told)

    def press(self, action: str, place: int) -> list[Any]:
        line = self.lines[place]
        return self.send(action=action, about=line["id"], mark=line["mark"])

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.panel.body.state)

    @property
    def lines(self) -> list[dict[str, str]]:
        return list(self.state["lines"])

    @property
    def words(self) -> list[str]:
        """The words of the filters."""
        return [one["words"] for one in self.state["filters"]]

    def column(self, name: str) -> list[str]:
        return [line[name] for line in self.lines]


@pytest.fixture
def desk() -> Iterator[Desk]:
    with closing(Desk()) as made:
        yield made


def test_counts_and_lines(desk: Desk) -> None:
    """Findings are counted; a line says what, how often, where first, and what to do, the worst first."""
    findings = desk.show(NAMES)
    assert desk.words == ["Errors 2", "Warnings 4", "Repaired 1"]
    assert sum(one["count"] for one in desk.state["filters"]) == len(findings)
    assert (
        desk.state["filters"][0]["tip"] == "2 errors in 2 rows. A row with an error is not planned until it is mended."
    )
    assert [[line[name] for name in ("word", "problem", "count", "where", "actionWords")] for line in desk.lines] == [
        ["Error", "has 2 or 3 characters; 4 to 32 characters are allowed (API document)", "2", "rows 2, 3", ""],
        [
            "Warning",
            "differs from … in row 4 or 9 only in case or in letters that look alike",
            "3",
            "rows 5, 6, 10",
            "Accept all 3",
        ],
        ["Warning", "is what programs write where there is no value", "1", "row 8", "Accept"],
        ["Repaired", "had blanks around it", "1", "row 7", ""],
    ]
    assert desk.lines[2]["label"] == (
        "Warning: groupName is what programs write where there is no value. 1 finding, row 8. Compare with the source."
    )


def test_many_rows_and_whole_columns(desk: Desk) -> None:
    """The first rows are named, and how many there are besides."""
    desk.show(["ab"] * 1200)
    assert desk.lines[0]["where"] == "rows 2, 3, 4 and 1,197 more"
    findings = desk.show(["null", "null5"])
    desk.panel.show(findings.assign(rows=1300), Accepted())
    assert (desk.lines[0]["count"], desk.lines[0]["where"]) == ("1", "row 2 and 1,299 more")
    assert desk.state["filters"][1]["tip"].startswith("1 open warning in 1,300 rows or more. ")


def test_without_findings_there_is_nothing(desk: Desk) -> None:
    """Before the first orders, and when all is mended."""
    assert desk.panel.body.layout.display == "none"
    desk.show(NAMES)
    assert desk.panel.body.layout.display is None
    desk.show(["sales"])
    assert desk.panel.body.layout.display == "none"
    assert desk.lines == []


def test_a_filter(desk: Desk) -> None:
    """Pressed it is on, pressed again it is off; one at a time; where it has none left it is off by itself."""
    desk.show(NAMES)
    assert desk.send(action="filter", about="warning") == ["warning"] == [desk.panel.severity]
    assert desk.column("severity") == ["warning", "warning"]
    assert [one["pressed"] for one in desk.state["filters"]] == [False, True, False]
    assert desk.send(action="filter", about="error") == ["error"]
    assert desk.send(action="filter", about="error") == [None] == [desk.panel.severity]
    assert len(desk.lines) == 4
    desk.send(action="filter", about="error")
    desk.show(NAMES[1:])
    assert desk.panel.severity == "error"
    desk.show(NAMES[2:])
    assert desk.panel.severity is None
    assert desk.words[0] == "Errors 0"
    assert len(desk.lines) == 3


def test_a_kind_is_picked(desk: Desk) -> None:
    """All its cells, in their order."""
    desk.show(NAMES)
    assert desk.press("pick", 1) == [[(5, "groupName"), (6, "groupName"), (10, "groupName")]]


def test_a_kind_is_accepted_and_taken_back(desk: Desk) -> None:
    """It goes to the end, counts no longer as open, and comes back; the counts add up all the while."""
    findings = desk.show(NAMES)
    (accepted,) = desk.press("accept", 1)
    assert accepted.mask(findings).sum() == 3
    assert desk.words == ["Errors 2", "Warnings 1 (3 accepted)", "Repaired 1"]
    assert desk.state["filters"][1]["tip"].endswith(" 3 more are accepted.")
    assert desk.column("word") == ["Error", "Warning", "Repaired", "Accepted"]
    assert desk.lines[3]["actionWords"] == "Take back"
    assert desk.lines[3]["label"].startswith("Accepted: groupName differs from … in row 4 or 9 only")
    assert desk.state["said"] == "3 warnings accepted."
    assert len(desk.panel.open) == len(findings) - 3
    assert desk.press("take back", 3) == [Accepted()]
    assert desk.words == ["Errors 2", "Warnings 4", "Repaired 1"]
    assert desk.state["said"] == "3 warnings open again."


def test_a_new_finding_of_an_accepted_kind_is_open(desk: Desk) -> None:
    """The others stay accepted; both lines are there, and each is accepted or taken back by itself."""
    desk.show(NAMES)
    (accepted,) = desk.press("accept", 1)
    desk.show([*NAMES, "East"], accepted)
    assert desk.words[1] == "Warnings 2 (3 accepted)"
    assert [(line["word"], line["where"]) for line in desk.lines[1:]] == [
        ("Warning", "row 8"),
        ("Warning", "row 11"),
        ("Repaired", "row 7"),
        ("Accepted", "rows 5, 6, 10"),
    ]
    desk.send(action="filter", about="warning")
    assert desk.column("word") == ["Warning", "Warning", "Accepted"]
    everything = accepted.add(desk.panel.open)
    desk.show([*NAMES, "East"], everything)
    assert desk.words[1] == "Warnings 0 (5 accepted)"
    assert desk.panel.severity is None


def test_what_was_not_seen_is_not_accepted(desk: Desk) -> None:
    """Neither by a click on a line that has more findings meanwhile, nor by one on a line that is gone."""
    desk.show(NAMES)
    line = desk.lines[1]
    desk.show([*NAMES, "East"])
    assert desk.column("id").count(line["id"]) == 1
    assert desk.send(action="accept", about=line["id"], mark=line["mark"]) == []
    assert desk.words[1] == "Warnings 5"
    desk.show(["sales"])
    assert [desk.send(action=action, about=line["id"], mark=line["mark"]) for action in ("accept", "pick")] == [[], []]


def test_errors_and_repairs_cannot_be_accepted(desk: Desk) -> None:
    """Whatever a page sends."""
    desk.show(NAMES)
    assert [desk.press(action, place) for action in ("accept", "take back") for place in (0, 3)] == [[]] * 4
    assert desk.words == ["Errors 2", "Warnings 4", "Repaired 1"]
    assert desk.state["said"] == ""


@pytest.mark.parametrize(
    "message",
    [
        *(
            {},
            {"action": None},
            {"action": []},
            {"action": "accept"},
            {"action": "filter"},
            {"action": "pick", "about": {}},
        ),
        *({"action": "filter", "about": "odd"}, {"action": "filter", "about": ["error"]}, {"action": "close"}),
    ],
)
def test_a_page_can_send_anything(desk: Desk, message: dict[str, Any]) -> None:
    """Nothing is done."""
    desk.show(NAMES)
    before = desk.state
    assert desk.send(**message) == []
    assert desk.state == before


def test_what_is_the_same_is_not_sent_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when the same findings are shown, nor others that look the same."""
    desk.show(NAMES)
    sent: list[object] = []
    for widget in (desk.panel.body, desk.panel.body.layout):
        monkeypatch.setattr(widget, "send_state", lambda key: sent.append(key))
    findings = desk.show(NAMES)
    desk.panel.show(findings, Accepted())
    assert sent == []
    desk.show([*NAMES, "x"])
    assert sent == ["state"]


def test_hostile_texts_are_seen_and_short(desk: Desk) -> None:
    """What a file says of itself: nothing unseen, no more than 200 lines of some hundred characters."""
    findings = desk.show(["null"] * 3)
    texts = [*TEXTS, "x" * 5000, "\u202e" * 5000, *(f"odd {'a' * at}" for at in range(300))]
    table = pd.concat([findings.head(1)] * len(texts), ignore_index=True).assign(problem=texts, advice=texts)
    desk.panel.show(table, Accepted())
    assert len(desk.lines) == 200
    assert desk.state["more"].startswith("The first 200 of ")
    for line in desk.lines:
        assert all(len(text) < 1200 and not {"\u202e", "\x1b", "\n"} & set(text) for text in line.values())
