"""One order, by clicking: checked as one types, shown before it is sent, sent once, its outcome in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from itnio_nb import Client, Ledger, Sandbox, make_plan, submit_plan
from itnio_nb.forms.order import OrderForm
from tests.support.factories import APP, Gate, group, orders_frame, sent
from tests.support.forms import (
    GOOD_ORDER,
    HOSTILE,
    all_widgets,
    assert_form_harmless,
    click_hastily,
    fill_order,
    status,
    text_of,
    wait_for_poll,
)
from tests.support.live import live_account

HINTS = {
    "groupName": "4–32 characters, one of its kind in the application",
    "phoneName": "4–32 characters; the phones become name-1, name-2 and so on",
    "quantity": "from 1; more than 50 become several groups",
    "displayNum": "7–13 digits, what the called person sees",
    "appId": "the id of the voice application",
}


@pytest.fixture
def form(client: Client, ledger: Ledger) -> Iterator[OrderForm]:
    with closing(OrderForm(client, ledger)) as made:
        yield made


@pytest.fixture(scope="module")
def one_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OrderForm, Sandbox]]:
    path = tmp_path_factory.mktemp("typed") / "ledger.sqlite"
    with (
        Sandbox() as sandbox,
        Client(sandbox.account) as client,
        Ledger(path) as ledger,
        closing(OrderForm(client, ledger)) as made,
    ):
        yield made, sandbox


@pytest.fixture
def typed(one_for_all: tuple[OrderForm, Sandbox]) -> OrderForm:
    """A form with a good order, for what sends nothing."""
    fill_order(one_for_all[0])
    return one_for_all[0]


def create(form: OrderForm) -> None:
    form.create.click()
    wait_for_poll(form)


def notes_of(form: OrderForm) -> dict[str, str]:
    return {name: text_of(note) for name, note in form.notes.items()}


def all_text(form: OrderForm) -> str:
    return "".join(str(widget.get_state()) for widget in all_widgets(form)) + repr(form)


def test_an_empty_form_says_what_each_field_takes(form: OrderForm, sandbox: Sandbox) -> None:
    """A field that was not filled in yet is no mistake; nothing can be created."""
    assert notes_of(form) == HINTS
    assert form.create.disabled
    assert text_of(form.sentence) == "Fill in all five fields."
    assert repr(form) == "OrderForm: SANDBOX."
    assert text_of(form.preview) == "What will be sentThe groups and their requests appear here."
    assert form.monitor.body.layout.display == "none"
    labels = ["Group name", "Phone name", "Phones", "Display number", "Application"]
    assert [box.description for box in form.fields.values()] == labels
    click_hastily(form, form.create)
    assert sent(sandbox) == 0


def test_a_wrong_field_says_so_as_one_types(typed: OrderForm) -> None:
    """In words beside it, not only in red; nothing can be created until it is right again.

    What can be repaired is repaired and said: the request shows what will be sent.
    """
    for name, values in {
        "groupName": {
            "abc": "error: has 3 characters; 4 to 32 characters are allowed",
            "x" * 33: "error: has 33 characters; 4 to 32 characters are allowed",
            "a\x07bcd": "error: contains a line break or another control character",
        },
        "phoneName": {
            "dsk": "error: has 3 characters; 4 to 32 characters are allowed",
            "x" * 33: "Shorten the phone name.",
        },
        "quantity": {
            "0": "error: asks for no phone",
            "2.5": "error: is not a whole number",
            "many": "Write how many phones in digits, such as 30.",
            "99999999": "error: is more than",
        },
        "displayNum": {
            "123456": "error: has 6 digits; 7 to 13 digits are allowed",
            "phone": "error: holds more than the digits 0 to 9",
        },
        "appId": {"  ": "error: is empty"},
    }.items():
        for value, words in values.items():
            typed.fields[name].value = value
            assert words in notes_of(typed)[name]
            assert "class='error'" in typed.notes[name].value
            assert typed.create.disabled
            assert [other for other, note in notes_of(typed).items() if note != HINTS[other]] == [name]
            assert text_of(typed.sentence) == "Mend what is marked first."
        typed.fields[name].value = GOOD_ORDER[name]
        assert not typed.create.disabled
        assert notes_of(typed) == HINTS
    for name, value, wire, words in (
        ("displayNum", "+86 100-0000", "861000000", "repaired: had a + before it; had separators in it"),
        ("groupName", " sales", "sales", "repaired: had blanks around it"),
        ("phoneName", "de\u200bsk", "desk", "repaired: had invisible characters in it"),
    ):
        typed.fields[name].value = value
        assert words in notes_of(typed)[name]
        assert "class='warning'" in typed.notes[name].value
        assert f'"{name}": "{wire}"' in text_of(typed.preview)
        assert not typed.create.disabled
        typed.fields[name].value = GOOD_ORDER[name]
    typed.fields["quantity"].value = ""
    assert (typed.create.disabled, notes_of(typed)) == (True, HINTS)


def test_the_very_request_is_shown(typed: OrderForm, one_for_all: tuple[OrderForm, Sandbox]) -> None:
    """Address, headers and body, its signature masked and of the key no more than its end; what it creates, and where.

    Of many groups the first three are shown, the others counted.
    """
    sandbox, preview = one_for_all[1], text_of(typed.preview)
    assert f"POST {sandbox.base_url}/sipAdd\n" in preview
    assert "Sign: ********\n" in preview
    wire = '{"groupName": "sales", "phoneName": "desk", "quantity": 3, "displayNum": "861000000", "appId": "4luaKsL2"}'
    assert wire in preview
    assert "desk-1 … desk-3" in preview
    assert sandbox.account.api_secret.reveal() not in all_text(typed)
    assert sandbox.account.api_key not in all_text(typed)
    assert f"…{sandbox.account.api_key[-4:]}" in preview
    assert (
        text_of(typed.sentence)
        == f"Creates 3 phones in 1 group on SANDBOX, application {APP}. The API cannot delete them."
    )
    assert repr(typed) == "OrderForm: SANDBOX. Ready to create 3 phones in 1 group."
    typed.fields["quantity"].value = "1"
    assert "desk-1" in text_of(typed.preview)
    assert "…" not in text_of(typed.preview).split("POST")[0]
    assert text_of(typed.sentence).startswith("Creates 1 phone in 1 group ")
    typed.fields["quantity"].value = "230"
    preview = text_of(typed.preview)
    for name in ("sales", "sales_2", "sales_3"):
        assert f'"groupName": "{name}"' in preview
    assert "sales_4" not in preview
    assert "… and 2 more requests" in preview
    assert text_of(typed.sentence).startswith("Creates 230 phones in 5 groups on ")


def test_hostile_text_in_a_field_is_text(typed: OrderForm) -> None:
    """In its note, in the preview, beside the button."""
    for text in HOSTILE:
        typed.fields["groupName"].value = text
        assert_form_harmless(typed)
    for name in ("quantity", "appId", "phoneName", "displayNum"):
        typed.fields[name].value = HOSTILE[0]
        assert_form_harmless(typed)


def test_the_outcome_is_shown_once_with_the_phones(
    form: OrderForm, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """The summary, the group, each phone of this order that exists now; passwords stay masked.

    A double click sends nothing twice, nor does a later one: that order was sent. A changed field makes it another one.
    """
    client.create_phones(group("others", "line"))
    fill_order(form)
    values: list[str] = []
    form.result.observe(lambda change: values.append(change["new"]), "value")
    for shown in (1, 2):  # each outcome once
        click_hastily(form, form.create)
        assert len([value for value in values if value]) == shown
        assert (sent(sandbox), len(sandbox.phones)) == (2, 6)
        assert form.create.disabled
        assert text_of(form.sentence) == "This order was sent. Change a field for another one."
    result = text_of(form.result)
    assert result.startswith("What came back")
    assert "Phones that exist now" in result
    phones = sandbox.phones[sandbox.phones["groupName"] == "sales"]
    for name, account, password in phones[["phoneName", "account", "password"]].to_numpy().tolist():
        assert name in result
        assert account in result
        assert password not in all_text(form)
    assert "********" in result
    assert "line-1" not in result
    assert (form.monitor.bar.value, form.monitor.stop.disabled) == (1, True)
    assert form.monitor.body.layout.display == "none"  # the outcome stands in its place
    fill_order(form, groupName="support", phoneName="room", quantity="7")
    assert "Ready to create 7 phones in 1 group." in repr(form)
    create(form)
    assert sandbox.phones["groupName"].unique().tolist() == ["others", "sales", "support"]
    assert "support" in form.result.value
    assert "desk-1" not in form.result.value
    assert len(ledger.runs) == 3  # that of the hasty click too, with nothing to send
    assert status(form).startswith("Done. Groups: 1 created (7 phones), 0 existed")
    assert "Verified: 7 of 7 phones." in status(form)
    assert "class='good'" in form.status_line.value
    assert repr(form).splitlines()[1].startswith("Done. Groups: 1 created (7 phones)")


def test_the_order_that_was_shown_is_the_one_that_is_sent(form: OrderForm, sandbox: Sandbox) -> None:
    """Whatever is typed after the click; of many phones each group is created, and the first phones are listed."""
    sandbox.faults = gate = Gate()
    fill_order(form, quantity="230")
    form.create.click()
    fill_order(form, groupName="support", phoneName="line")
    gate.opened.set()
    wait_for_poll(form)
    assert (len(sandbox.phones), sent(sandbox)) == (230, 5)
    assert sandbox.phones["groupName"].str.startswith("sales").all()
    assert "The first 200 of 230." in text_of(form.result)


def test_a_refused_order_is_shown_in_words(form: OrderForm, sandbox: Sandbox, client: Client) -> None:
    """What it means, that nothing was created, what to do; as the account answers when it is asked to create.

    Once that is mended, the same order can be created. Hostile names that exist are text in all that comes back.
    """
    fill_order(form)
    create_phones, secret = client.create_phones, sandbox.account.api_secret.reveal()
    for number, words, advice in (
        ("-1", "Authentication error", "Check ITNIO_API_KEY and ITNIO_API_SECRET"),
        ("-2", "Restricted IP access", "Add the address in the ITNIO console"),
        ("-16", "Timestamp expires", "Set this machine's clock"),
        ("-23", "Data caps", "Have the limit raised or use another application"),
    ):

        def refuse(one: object, number: str = number) -> object:
            """Refuse from the very request on: the plan's listing was still answered."""
            sandbox.allowed_addresses = [] if number == "-2" else None
            sandbox.faults = "clock=1" if number == "-16" else None
            sandbox.cap = 2 if number == "-23" else None
            if number == "-1":
                sandbox.add_account(sandbox.account.api_key, "changed")
            return create_phones(one)  # type: ignore[arg-type] # the group, as the client is given it

        client.create_phones = refuse  # type: ignore[method-assign, assignment] # what a server would refuse
        create(form)
        shown = status(form) + text_of(form.result)
        assert sandbox.phones.empty
        assert advice in shown
        assert words in shown or number in shown
        assert "Nothing was created" in shown
        sandbox.allowed_addresses = sandbox.faults = sandbox.cap = None
        sandbox.add_account(sandbox.account.api_key, secret)
    client.create_phones = create_phones  # type: ignore[method-assign]
    create(form)
    assert len(sandbox.phones) == 3
    fill_order(form, groupName=HOSTILE[0], phoneName=HOSTILE[1][:28], appId=HOSTILE[2])
    create(form)
    assert len(sandbox.phones) == 6
    assert_form_harmless(form)


def test_what_the_account_refuses_before_is_shown_too(form: OrderForm, sandbox: Sandbox, ledger: Ledger) -> None:
    """While it plans: an error in words, no run, and the order can be sent once that is mended."""
    fill_order(form)
    key, secret = sandbox.account.api_key, sandbox.account.api_secret.reveal()
    for trouble, words in (
        ("wrong secret", "Authentication failed"),
        ("address", "Address not allowed"),
        ("application", "appId is refused"),
        ("down", ""),
    ):
        sandbox.add_account(key, "changed" if trouble == "wrong secret" else secret)
        sandbox.allowed_addresses = [] if trouble == "address" else None
        sandbox.app_ids = [] if trouble == "application" else None
        if trouble == "down":
            sandbox.stop()
        create(form)
        assert status(form).startswith("Error: ")
        assert words in status(form)
        assert "Traceback" not in status(form)
        assert (len(ledger.runs), sent(sandbox)) == (0, 0)
        assert not form.create.disabled
    sandbox.start()
    create(form)
    assert len(sandbox.phones) == 3


def test_a_taken_phone_name_is_refused_and_can_be_mended(form: OrderForm, client: Client, sandbox: Sandbox) -> None:
    """In words, with the group that has it; as the advice says, by another name. A group that exists is listed."""
    client.create_phones(group("others", "desk"))
    fill_order(form)
    create(form)
    shown = status(form) + text_of(form.result)
    assert "class='warning'" in form.status_line.value
    assert "1 refused" in shown
    assert "the phone name is taken by group others" in shown
    assert "Choose another phone name." in shown
    assert "None of these groups is there." in shown
    form.fields["phoneName"].value = "line"
    create(form)
    assert "1 created" in status(form)
    assert len(sandbox.phones) == 6
    before = sent(sandbox)
    fill_order(form, groupName="others")
    create(form)
    assert sent(sandbox) == before
    assert "1 existed" in status(form)
    assert "Nothing was sent: the group exists already." in status(form)
    assert "desk-1" in text_of(form.result)


def test_a_lost_answer_is_resolved(form: OrderForm, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """The run lists the account, and the form shows that the phones are there, none sent twice; made anew it does too.

    What others write of other runs changes nothing. Without its ledger nothing is sent.
    """
    sandbox.faults = "drop-after"
    fill_order(form)
    create(form)
    assert "1 created (3 phones)" in status(form)
    assert (len(sandbox.phones), sent(sandbox)) == (3, 1)
    assert "desk-3" in form.result.value
    assert "1 problem" in text_of(form.monitor.problems.area)
    with closing(OrderForm(client, ledger)) as again:
        assert status(again).startswith("The newest run in the ledger: Done. Groups: 1 created (3 phones)")
        assert "1 created (3 phones)" in repr(again)
        assert again.create.disabled
    submit_plan(make_plan(orders_frame(("support", "line"))), client, ledger).wait()
    wait_for_poll(form)
    assert "1 created" in status(form)
    form.fields["groupName"].value = "another"
    ledger.path.unlink()
    create(form)
    assert status(form).startswith("Error: The ledger ")
    assert "the file was deleted or replaced" in status(form)
    assert sent(sandbox) == 2


@pytest.fixture
def live(sandbox: Sandbox, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[OrderForm]:
    with Client(live_account(sandbox, monkeypatch)) as client, closing(OrderForm(client, ledger)) as made:
        yield made


def test_a_live_account_needs_the_number(live: OrderForm, sandbox: Sandbox) -> None:
    """One order can be 2,000 phones; what was typed for another order is taken away. A sandbox asks for none."""
    assert live.confirm.typed.layout.display == "none"
    fill_order(live, quantity="2000")
    words = f"Creates 2,000 phones in 40 groups on LIVE ACCOUNT …abcd, application {APP}. The API cannot delete them."
    assert text_of(live.sentence) == words
    assert (live.confirm.typed.layout.display, live.create.disabled) == (None, True)
    assert text_of(live.confirm.hint) == "Type 2000 to confirm."
    click_hastily(live, live.create)
    assert (sent(sandbox), status(live)) == (0, "Error: Nothing was sent: type the number of phones first.")
    live.confirm.typed.value = "2000"
    assert not live.create.disabled
    live.fields["phoneName"].value = "line"
    assert (live.confirm.typed.value, live.create.disabled) == ("", True)
    live.fields["quantity"].value = "100"
    live.confirm.typed.value = "100"
    click_hastily(live, live.create)
    assert (sent(sandbox), len(sandbox.phones)) == (2, 100)
    assert "class='good'" in live.status_line.value


def test_the_number_that_was_typed_is_the_number_that_is_sent(live: OrderForm, sandbox: Sandbox) -> None:
    """Where some exist already it is said, and asked again; where all do there is nothing to confirm."""
    client = live.account.workspace.client
    client.create_phones(group("sales", "desk", 50))
    client.create_phones(group("sales_3", "desk_3", 20))
    fill_order(live, quantity="120")
    live.confirm.typed.value = "120"
    create(live)
    words = "2 of its 3 groups exist already, so 50 phones would be created and not 120."
    assert status(live) == "Warning: Nothing was sent: look at the number of phones again."
    assert text_of(live.confirm.warning) == words
    assert text_of(live.sentence).startswith("Creates 50 phones in 1 group on LIVE ACCOUNT")
    assert (live.confirm.typed.value, text_of(live.confirm.hint)) == ("", "Type 50 to confirm.")
    assert (sent(sandbox), len(live.account.workspace.ledger.runs)) == (2, 0)
    live.confirm.typed.value = "50"
    create(live)
    assert (sent(sandbox), len(sandbox.phones)) == (3, 120)
    fill_order(live, quantity="100")
    assert text_of(live.confirm.warning) == ""
    live.confirm.typed.value = "100"
    create(live)
    assert "Nothing was sent: all 2 groups exist already." in status(live)
    assert sent(sandbox) == 3


def test_an_order_is_sent_as_fast_as_was_set(form: OrderForm, ledger: Ledger) -> None:
    """How fast is asked where there are several requests, and kept with the run."""
    fill_order(form)
    assert form.confirm.speed.layout.display == "none"
    fill_order(form, quantity="120")
    assert form.confirm.speed.layout.display is None
    form.confirm.workers.value, form.confirm.rate.value = 2, "x"
    create(form)
    assert status(form).startswith("Error: The most requests in a second are a number")
    form.confirm.rate.value = "40"
    create(form)
    assert tuple(ledger.run_control.terms(1)) == (2, 40.0, 120)
