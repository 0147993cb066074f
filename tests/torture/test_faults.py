"""The fault menu: each fault, and what the operator sees of it, in words."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from itnio_nb import Client, Ledger, Sandbox, ServiceError, make_plan, submit_plan
from itnio_nb.sandbox.faults import ADD_ONLY, KINDS
from tests.support.factories import APP, ROOT, group, many_orders, sent

TABLE = ROOT / "docs" / "faults.md"

# What is known after the first answer, and in the end, of one group of four phones; where it differs from the rest.
EXPECTED = dict.fromkeys(KINDS, ("unknown", "created")) | {
    "429": ("planned", "created"),
    "503": ("planned", "created"),
    "number": ("created", "created"),
    "slow": ("created", "created"),
    "half": ("unknown", "partial"),
    "late": ("created", "created"),
    "clock": ("created", "created"),
}


class Seen(NamedTuple):
    """What one run of one group had in its receipts, and what the sandbox has."""

    receipts: list[tuple[str, str]]  # state and reason, in order
    advice: str  # of the last
    summary: str
    phones: int
    sent: int  # sipAdd requests


def observed(kind: str, ledger_place: str) -> Seen:
    """Meet one fault with a run of one group of four phones."""
    with (
        Sandbox(faults=kind, stall=30) as sandbox,
        Client(sandbox.account, timeout=(1, 2)) as client,
        Ledger(ledger_place) as ledger,
    ):
        run = submit_plan(make_plan(many_orders(1, 4)), client, ledger).wait(60)
        history = ledger.history
        reasons = history["reason"].str.replace(r"\d\d:\d\d UTC", "hh:mm UTC", regex=True)
        receipts = list(zip(history["state"], reasons, strict=True))
        return Seen(receipts, history["advice"].iloc[-1], run.summary, len(sandbox.phones), sent(sandbox))


def table_row(kind: str, seen: Seen) -> str:
    """Return a line of the table in the docs."""
    lines = [f"**{state}**: {reason}" for state, reason in seen.receipts]
    end = f"**{seen.receipts[-1][0]}**, {seen.phones} of 4 phones, {'once' if seen.sent == 1 else 'twice'} sent"
    return f"| `{kind}` | {KINDS[kind]} | {'<br>'.join(lines)} | {end} |"


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_operator_sees(kind: str, ledger_place: str) -> None:
    """The state at once and in the end, the summary, and the very line of the docs."""
    seen = observed(kind, ledger_place)
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
            "2 of 4 phones were created; it cannot be completed under this name by the API. Order 2 under a new one."
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
