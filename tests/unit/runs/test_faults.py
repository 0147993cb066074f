"""The fault menu: each fault, and what the operator sees of it, in words."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from itnio_nb import Client, Ledger, Sandbox, ServiceError, make_plan, submit_plan
from itnio_nb.sandbox.faults import ADD_ONLY, KINDS, Faults
from tests.support.factories import APP, ROOT, group, many_orders

TABLE = ROOT / "docs" / "faults.md"

# What is known after the first answer, and in the end; of one group of four phones.
EXPECTED = {
    "drop-before": ("unknown", "created"),
    "drop-after": ("unknown", "created"),
    "stall-before": ("unknown", "created"),
    "stall-after": ("unknown", "created"),
    "429": ("planned", "created"),
    "500-before": ("unknown", "created"),
    "500-after": ("unknown", "created"),
    "502-before": ("unknown", "created"),
    "502-after": ("unknown", "created"),
    "503": ("planned", "created"),
    "503-silent": ("unknown", "created"),
    "redirect": ("unknown", "created"),
    "html": ("unknown", "created"),
    "truncated": ("unknown", "created"),
    "number": ("created", "created"),
    "slow": ("created", "created"),
    "-18-before": ("unknown", "created"),
    "-18-after": ("unknown", "created"),
    "half": ("unknown", "partial"),
    "late": ("created", "created"),
    "clock": ("created", "created"),
}


class Seen(NamedTuple):
    """What one run of one group told, and what the sandbox has."""

    receipts: list[tuple[str, str]]  # state and reason, in order
    advice: str  # of the last
    summary: str
    phones: int
    sent: int  # sipAdd requests


def observed(kind: str) -> Seen:
    """Meet one fault with a run of one group of four phones."""
    with (
        TemporaryDirectory() as folder,
        Sandbox(faults=kind, stall=30) as sandbox,
        Client(sandbox.account, timeout=(1, 0.3)) as client,
        Ledger(Path(folder) / "ledger.sqlite") as ledger,
    ):
        run = submit_plan(make_plan(many_orders(1, 4)), client, ledger).wait(60)
        history = ledger.history
        receipts = list(zip(history["state"], history["reason"].map(_timeless), strict=True))
        sent = sum(one.endpoint == "sipAdd" for one in sandbox.log)
        return Seen(receipts, history["advice"].iloc[-1], run.summary, len(sandbox.phones), sent)


def _timeless(words: str) -> str:
    return re.sub(r"\d\d:\d\d UTC", "hh:mm UTC", words)


def table_row(kind: str, seen: Seen) -> str:
    """Return a line of the table in the docs."""
    told = [f"**{state}**: {reason}" for state, reason in seen.receipts]
    end = f"**{seen.receipts[-1][0]}**, {seen.phones} of 4 phones, {'once' if seen.sent == 1 else 'twice'} sent"
    return f"| `{kind}` | {KINDS[kind]} | {'<br>'.join(told)} | {end} |"


def test_every_kind_has_its_expectation() -> None:
    """A new fault finds its words."""
    assert list(EXPECTED) == list(KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_operator_sees(kind: str) -> None:
    """The state at once and in the end, the summary, and the very line of the docs."""
    seen = observed(kind)
    first, last = EXPECTED[kind]
    assert (seen.receipts[0][0], seen.receipts[-1][0]) == (first, last)
    if last == "created":
        assert seen.summary.startswith(
            "Done. Groups: 1 created (4 phones), 0 existed, 0 refused, 0 unknown, 0 not sent"
        )
        assert "Verified: 4 of 4 phones." in seen.summary
        assert seen.phones == 4
    else:
        assert seen.summary.startswith("Done. Groups: 0 created (0 phones), 0 existed, 1 partial, 0 refused, 0 unknown")
        assert seen.advice == (
            "2 of 4 phones were created; it cannot be completed under this name. Order 2 under a new one."
        )
    assert ("Settled by looking: 1 " in seen.summary) == (first == "unknown")
    assert table_row(kind, seen) in TABLE.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ADD_ONLY])
def test_a_listing_is_read_in_spite_of_it(kind: str, sandbox: Sandbox) -> None:
    """Looking changes nothing: a page that fails is asked for again."""
    with Client(sandbox.account, timeout=(1, 0.3)) as client:
        client.create_phones(group("sales", "desk", 3))
        sandbox.faults = f"query:{kind}"
        assert len(client.list_phones(APP)) == 3
    assert sandbox.log[1].fault == kind


def test_a_listing_that_always_fails_is_given_up(sandbox: Sandbox, client: Client) -> None:
    """After six tries, with what was seen."""
    sandbox.faults = "query:502-before=1"
    with pytest.raises(ServiceError, match="HTTP 502 instead of an answer of the API"):
        client.list_phones(APP)
    assert len(sandbox.log) == 6


def test_a_script_is_met_in_order(sandbox: Sandbox, client: Client) -> None:
    """`none` lets one pass, `*3` is three times; after the end nothing goes wrong."""
    sandbox.faults = "-18-before*2, none ,html"
    states = [client.create_phones(group(f"group-{at}", f"phone-{at}")).state for at in range(5)]
    assert states == ["unknown", "unknown", "created", "unknown", "created"]
    assert [one.fault for one in sandbox.log] == ["-18-before", "-18-before", "", "html", ""]
    assert [one.status for one in sandbox.log] == ["", "", "0", "0", "0"]


def test_chance_is_seeded() -> None:
    """The same seed, group and time give the same fault, in whatever order; another seed others; as often as said."""
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
    """Both calls; a listing meets none that is about creating."""
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


def test_none_is_no_fault_by_chance_either(sandbox: Sandbox, client: Client) -> None:
    """It does what it says."""
    sandbox.faults = "none=1"
    assert client.create_phones(group()).state == "created"


@pytest.mark.parametrize("wrong", [["drop-after"], {"drop-after": 1}, 5])
def test_faults_of_another_kind_are_refused(wrong: Any) -> None:
    """At once, not when a request meets them."""
    with pytest.raises(ValueError, match="as a text or as Faults"):
        Sandbox(faults=wrong)
    with pytest.raises(ValueError, match="A chance is a number from 0 to 1"):
        Faults(chances={"late": 7})
