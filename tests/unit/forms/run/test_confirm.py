"""The confirmation of what creates phones: its words, and the number that its button waits for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pandas as pd
import pytest

from itnio_nb.forms.base import Form
from itnio_nb.forms.run.confirm import Confirmation, creation
from itnio_nb.ledger.run_control import RunTerms
from itnio_nb.runs.sending.pace import RunOptions
from tests.support.forms import PRINTABLE_HOSTILE, assert_form_harmless, text_of


def groups(**phones: int) -> pd.DataFrame:
    """Groups of so many phones, each in an application of its own."""
    return pd.DataFrame({"quantity": list(phones.values()), "appId": list(phones)})


@pytest.fixture
def confirmation() -> Iterator[Confirmation]:
    with closing(Form("A form")) as form:
        made = Confirmation(form, "Send", lambda: None, "Send it", is_ready=lambda: True, is_shown=lambda: True)
        form.children = (made.body,)
        form.refresh()
        yield made


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (groups(x=1), "1 phone in 1 group on SANDBOX, application x"),
        (
            groups(x=300, y=10),
            "310 phones in 2 groups on SANDBOX: 300 phones in application x, 10 phones in application y",
        ),
        (pd.concat([groups(x=50)] * 40), "2,000 phones in 40 groups on SANDBOX, application x"),
        (groups(a=1, b=1, c=1, d=1, e=1, f=1, g=1), "7 phones in 7 groups on SANDBOX: 1 phone in application a, "),
        (groups(), "0 phones in 0 groups on SANDBOX"),
    ],
)
def test_phones_groups_and_applications_are_named(asked: pd.DataFrame, words: str) -> None:
    """One application without its sum, which is the whole; of many the first five, each with its phones."""
    assert creation(asked, "SANDBOX").startswith(words)
    assert creation(asked, "SANDBOX").endswith("the rest in 2 more" if len(set(asked["appId"])) == 7 else words)


def test_the_button_waits_for_the_number(confirmation: Confirmation) -> None:
    """A number that was typed for another one is taken away; where none is asked for, one click will do."""
    confirmation.ask("Creates 12 phones.", 12)
    assert confirmation.typed.layout.display is None
    for typed in ("1", "120", "-12", "12.0", "twelve", "１２", "1e1", "9" * 500, ""):
        confirmation.typed.value = typed
        assert (confirmation.confirmed, confirmation.submit.disabled) == (False, True), typed
        assert text_of(confirmation.hint) == "Type 12 to confirm."
    confirmation.typed.value = " 12 "
    assert (confirmation.number, confirmation.submit.disabled) == (12, False)
    assert text_of(confirmation.hint) == "Confirmed."
    confirmation.ask("Creates 12 phones.", 12)
    assert confirmation.confirmed
    confirmation.ask("Creates 9 phones.", 9)
    assert (confirmation.typed.value, confirmation.confirmed) == ("", False)
    confirmation.typed.value = "9"
    confirmation.ask("Nothing is left to create.")
    assert (confirmation.number, confirmation.confirmed, confirmation.typed.value) == (None, True, "")
    assert confirmation.typed.layout.display == "none"
    assert text_of(confirmation.hint) == ""


@pytest.mark.parametrize("rate", [None, 5.0, 0.1 + 0.2, 1 / 3, 1 / 0.0625, 29.999999999])
def test_the_terms_of_a_run_come_back_as_they_were(confirmation: Confirmation, rate: float | None) -> None:
    """To the last digit: a rate that was rounded up would be exceeded."""
    confirmation.show_terms(RunTerms(3, rate))
    assert confirmation.options == RunOptions(3, rate)


def test_hostile_words_are_text(confirmation: Confirmation) -> None:
    """In the sentence and in the warning."""
    for text in PRINTABLE_HOSTILE:
        confirmation.ask(creation(groups(**{text: 1}), text), 1, text)
        assert_form_harmless(confirmation.body)
