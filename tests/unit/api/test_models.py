"""Phone groups, and the states of a group."""

from __future__ import annotations

import json

from itnio_nb import PhoneGroup, State
from itnio_nb.api.models import phone_groups
from tests.support.factories import group, many_orders


def test_wire_is_the_documents_sample() -> None:
    """Field names, order and types of the request body; nothing is validated: a refusal can be met on purpose."""
    body = PhoneGroup("sipGroup", "sip", 30, "861000000", "4luaKsL2").to_wire()
    assert json.dumps(body) == (
        '{"groupName": "sipGroup", "phoneName": "sip", "quantity": 30, "displayNum": "861000000", "appId": "4luaKsL2"}'
    )
    assert PhoneGroup("", "", -1, "", "").to_wire()["quantity"] == -1


def test_rows_are_phone_groups() -> None:
    """Of a table with the API's columns, in order."""
    expected = [group("group-0", "phone-0", "3"), group("group-1", "phone-1", "3")]  # type: ignore[arg-type] # text, as read
    assert list(phone_groups(many_orders(2))) == expected


def test_states_are_the_designs() -> None:
    """Seven states, each its own text; open or done, and what was sent and is not resolved stays open."""
    assert " ".join(State) == "planned sending created partial exists refused unknown"
    unfinished = State.PENDING | State.UNRESOLVED
    assert set(State) == unfinished | State.DONE == State.SENDABLE | State.UNRESOLVED | State.PRESENT
    assert State.DONE == State.PRESENT | State.FAILED
    assert not unfinished & State.DONE


def test_states_have_a_word_for_people() -> None:
    """Of groups of a run that is over."""
    assert [state.word for state in State] == [
        "not sent",
        "being sent",
        "created",
        "partial",
        "existed",
        "refused",
        "unknown",
    ]
