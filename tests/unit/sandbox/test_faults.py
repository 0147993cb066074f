"""Faults as a text or by chance: which request meets which."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from itnio_nb import Client, Sandbox
from itnio_nb.sandbox.faults import ADD_ONLY, KINDS, Faults
from tests.support.factories import group


def test_chance_is_seeded() -> None:
    """The same seed, group and time give the same fault, in whatever order; another seed others; as often as asked."""
    names = [f"group-{at}" for at in range(3000)]
    one, again, other = (Faults.parse("drop-after=0.2,late=0.1", seed) for seed in (7, 7, 8))
    drawn = {name: one.draw("sipAdd", name) for name in names}
    assert drawn == {name: again.draw("sipAdd", name) for name in reversed(names)}
    assert drawn != {name: other.draw("sipAdd", name) for name in names}
    counts = Counter(drawn.values())
    assert set(counts) == {"", "drop-after", "late"}
    assert 500 < counts["drop-after"] < 700
    assert 240 < counts["late"] < 360
    assert {one.draw("sipQuery", "1") for _ in range(100)} == {""}


def test_all_spreads_over_every_kind() -> None:
    """Both endpoints; a listing meets none that is about creating."""
    faults = Faults.parse("all=1")
    assert {faults.draw("sipAdd", str(at)) for at in range(2000)} == set(KINDS)
    assert {faults.draw("sipQuery", str(at)) for at in range(2000)} == set(KINDS) - ADD_ONLY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bogus", "There is no fault 'bogus'. There are: drop-before"),
        ("query:half", "There is no fault 'query:half'"),
        ("late=2", "a chance is a number from 0 to 1"),
        ("late=x", "a chance is a number from 0 to 1"),
        ("late*x", "how often"),
        ("late=0.6,half=0.6", "add up to more than 1"),
        ("all=0.6,half=0.6", "add up to more than 1"),
        ("late*99999999999999", "at most 99,999 times"),
    ],
)
def test_what_is_no_fault_is_said(text: str, words: str) -> None:
    """With what there is."""
    with pytest.raises(ValueError, match=re.escape(words)):
        Faults.parse(text)


def test_faults_of_another_kind_are_refused() -> None:
    """At once, not when a request meets them."""
    wrong: list[Any] = [["drop-after"], {"drop-after": 1}, 5]
    for faults in wrong:
        with pytest.raises(ValueError, match="as a text or as Faults"):
            Sandbox(faults=faults)
    with pytest.raises(ValueError, match="A chance is a number from 0 to 1"):
        Faults(chances={"late": 7})


def test_a_script_is_met_in_order(sandbox: Sandbox, client: Client) -> None:
    """`none` lets one pass, by chance too; `*3` is three times; after the end nothing goes wrong."""
    sandbox.faults = "none=1"
    assert client.create_phones(group()).state == "created"
    sandbox.log.clear()
    sandbox.faults = "-18-before*2, none ,html"
    states = [client.create_phones(group(f"group-{at}", f"phone-{at}")).state for at in range(5)]
    assert states == ["unknown", "unknown", "created", "unknown", "created"]
    assert [one.fault for one in sandbox.log] == ["-18-before", "-18-before", "", "html", ""]
    assert [one.status for one in sandbox.log] == ["", "", "0", "0", "0"]
