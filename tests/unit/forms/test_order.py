"""One order, by clicking: checked as one types, shown before it is sent, sent once, its outcome in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from itnio_nb import Account, Client, Ledger, Sandbox, make_plan, submit_plan
from itnio_nb.forms.order import OrderForm
from tests.support.factories import APP, Gate, group, orders_frame
from tests.support.forms import (
    HOSTILE,
    all_widgets,
    assert_form_harmless,
    click_hastily,
    requests_to_create,
    status,
    text_of,
    wait_for_poll,
)

GOOD = {"groupName": "sales", "phoneName": "desk", "quantity": "3", "displayNum": "861000000", "appId": APP}
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


def fill(form: OrderForm, **values: str) -> None:
    """Type a good order, some of its fields otherwise."""
    for name, value in {**GOOD, **values}.items():
        form.fields[name].value = value


def create(form: OrderForm) -> None:
    form.create.click()
    wait_for_poll(form)


def notes_of(form: OrderForm) -> dict[str, str]:
    return {name: text_of(note) for name, note in form.notes.items()}


def all_text(form: OrderForm) -> str:
    return "".join(str(widget.get_state()) for widget in all_widgets(form)) + repr(form)


def test_an_empty_form_says_what_each_field_takes(form: OrderForm) -> None:
    """A field that was not filled in yet is no mistake; nothing can be created."""
    assert notes_of(form) == HINTS
    assert form.create.disabled
    assert text_of(form.sentence) == "Fill in all five fields."
    assert repr(form) == "OrderForm: SANDBOX."
    assert text_of(form.preview) == "The groups and their requests appear here."
    assert form.monitor.body.layout.display == "none"
    labels = ["Group name", "Phone name", "Phones", "Display number", "Application"]
    assert [box.description for box in form.fields.values()] == labels


def test_a_good_order_can_be_created(form: OrderForm) -> None:
    """What it creates, and where, is said beside the button; the limits stay."""
    fill(form)
    assert not form.create.disabled
    assert text_of(form.sentence) == "creates 3 phones in 1 group on SANDBOX. The API cannot delete them."
    assert repr(form) == "OrderForm: SANDBOX. Ready to create 3 phones in 1 group."
    assert notes_of(form) == HINTS


def test_a_wrong_field_says_so_as_one_types(form: OrderForm, sandbox: Sandbox) -> None:
    """In words beside it, not only in red; nothing can be created until it is right again."""
    fill(form)
    for name, value, words in (
        ("groupName", "abc", "error: has 3 characters; 4 to 32 characters are allowed"),
        ("groupName", "x" * 33, "error: has 33 characters; 4 to 32 characters are allowed"),
        ("groupName", "a\x07bcd", "error: contains a line break or another control character"),
        ("phoneName", "dsk", "error: has 3 characters; 4 to 32 characters are allowed"),
        ("phoneName", "x" * 33, "Shorten the phone name."),
        ("quantity", "0", "error: asks for no phone"),
        ("quantity", "2.5", "error: is not a whole number"),
        ("quantity", "many", "Write how many phones in digits, such as 30."),
        ("quantity", "99999999", "error: is more than"),
        ("displayNum", "123456", "error: has 6 digits; 7 to 13 digits are allowed"),
        ("displayNum", "phone", "error: holds more than the digits 0 to 9"),
        ("appId", "  ", "error: is empty"),
    ):
        form.fields[name].value = value
        assert words in notes_of(form)[name]
        assert "class='error'" in form.notes[name].value
        assert form.create.disabled
        assert [other for other, note in notes_of(form).items() if note != HINTS[other]] == [name]
        assert text_of(form.sentence) == "Mend what is marked first."
        form.fields[name].value = GOOD[name]
        assert not form.create.disabled
        assert notes_of(form) == HINTS
    form.fields["quantity"].value = ""
    assert (form.create.disabled, notes_of(form)) == (True, HINTS)
    click_hastily(form, form.create)
    assert requests_to_create(sandbox) == 0


def test_what_can_be_repaired_is_repaired_and_said(form: OrderForm) -> None:
    """The request shows what will be sent, and it can be created."""
    for name, value, wire, words in (
        ("displayNum", "+86 100-0000", "861000000", "repaired: had a + before it; had separators in it"),
        ("groupName", " sales", "sales", "repaired: had blanks around it"),
        ("phoneName", "de\u200bsk", "desk", "repaired: had invisible characters in it"),
    ):
        fill(form, **{name: value})
        assert words in notes_of(form)[name]
        assert "class='warning'" in form.notes[name].value
        assert f'"{name}": "{wire}"' in text_of(form.preview)
        assert not form.create.disabled


def test_the_very_request_is_shown(form: OrderForm, sandbox: Sandbox) -> None:
    """Address, headers and body, its signature masked and of the key no more than its end."""
    fill(form)
    preview = text_of(form.preview)
    assert f"POST {sandbox.base_url}/sipAdd\n" in preview
    assert "Sign: ********\n" in preview
    wire = '{"groupName": "sales", "phoneName": "desk", "quantity": 3, "displayNum": "861000000", "appId": "4luaKsL2"}'
    assert wire in preview
    assert "desk-1 … desk-3" in preview
    assert sandbox.account.api_secret.reveal() not in all_text(form)
    assert sandbox.account.api_key not in all_text(form)
    assert f"…{sandbox.account.api_key[-4:]}" in preview
    fill(form, quantity="1")
    assert "desk-1" in text_of(form.preview)
    assert "…" not in text_of(form.preview).split("POST")[0]
    assert text_of(form.sentence).startswith("creates 1 phone in 1 group ")


def test_an_order_of_many_phones_becomes_groups(form: OrderForm, sandbox: Sandbox) -> None:
    """The first three are shown with their requests, the others counted; all are created."""
    fill(form, quantity="230")
    preview = text_of(form.preview)
    for name in ("sales", "sales_2", "sales_3"):
        assert f'"groupName": "{name}"' in preview
    assert "sales_4" not in preview
    assert "… and 2 more requests" in preview
    assert text_of(form.sentence).startswith("creates 230 phones in 5 groups on ")
    create(form)
    assert (len(sandbox.phones), requests_to_create(sandbox)) == (230, 5)
    assert "The first 200 of 230." in text_of(form.result)


def test_the_outcome_is_shown_once_with_the_phones(form: OrderForm, sandbox: Sandbox, client: Client) -> None:
    """The summary, the group, each phone of this order that exists now; passwords stay masked."""
    client.create_phones(group("others", "line"))
    fill(form)
    values: list[str] = []
    form.result.observe(lambda change: values.append(change["new"]), "value")
    create(form)
    assert status(form).startswith("Done. Groups: 1 created (3 phones), 0 existed")
    assert "Verified: 3 of 3 phones." in status(form)
    assert "class='good'" in form.status_line.value
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
    assert repr(form).splitlines()[1].startswith("Done. Groups: 1 created (3 phones)")
    assert (form.monitor.bar.value, form.monitor.stop.disabled) == (1, True)
    assert form.monitor.body.layout.display == "none"  # the outcome stands in its place
    assert len(values) == 1


def test_a_double_click_sends_nothing_twice(form: OrderForm, sandbox: Sandbox) -> None:
    """Nor a click later: that order was sent."""
    fill(form)
    for _ in range(2):
        click_hastily(form, form.create)
        assert (requests_to_create(sandbox), len(sandbox.phones)) == (1, 3)
        assert form.create.disabled
        assert text_of(form.sentence) == "This order was sent. Change a field for another one."


def test_another_order_can_follow(form: OrderForm, sandbox: Sandbox, ledger: Ledger) -> None:
    """A changed field makes it another one, in text as in widgets."""
    fill(form)
    create(form)
    fill(form, groupName="support", phoneName="line", quantity="7")
    assert text_of(form.sentence).startswith("creates 7 phones in 1 group on SANDBOX")
    assert "Ready to create 7 phones in 1 group." in repr(form)
    create(form)
    assert sandbox.phones["groupName"].unique().tolist() == ["sales", "support"]
    assert "support" in form.result.value
    assert "desk-1" not in form.result.value
    assert len(ledger.runs) == 2


def test_the_order_that_was_shown_is_the_one_that_is_sent(form: OrderForm, sandbox: Sandbox) -> None:
    """Whatever is typed after the click."""
    sandbox.faults = gate = Gate()
    fill(form)
    form.create.click()
    fill(form, groupName="support", phoneName="line")
    gate.opened.set()
    wait_for_poll(form)
    assert sandbox.phones["groupName"].unique().tolist() == ["sales"]


@pytest.mark.parametrize(
    ("status_number", "words", "advice"),
    [
        ("-1", "Authentication error", "Check ITNIO_API_KEY and ITNIO_API_SECRET"),
        ("-2", "Restricted IP access", "Add the address in the ITNIO console"),
        ("-16", "Timestamp expires", "Set this machine's clock"),
        ("-23", "Data caps", "Have the limit raised or use another application"),
    ],
)
def test_a_refused_order_is_shown_in_words(
    status_number: str, words: str, advice: str, form: OrderForm, sandbox: Sandbox, client: Client
) -> None:
    """What it means, that nothing was created, what to do; as the account answers when it is asked to create."""
    fill(form)
    create_phones = client.create_phones
    sandbox.cap = 2 if status_number == "-23" else None

    def refuse(one: object) -> object:
        """Refuse from the very request on: the plan's listing was still answered."""
        if status_number == "-2":
            sandbox.allowed_addresses = []
        if status_number == "-16":
            sandbox.faults = "clock=1"
        if status_number == "-1":
            sandbox.add_account(sandbox.account.api_key, "changed")
        return create_phones(one)  # type: ignore[arg-type]

    client.create_phones = refuse  # type: ignore[method-assign, assignment]
    create(form)
    shown = status(form) + text_of(form.result)
    assert sandbox.phones.empty
    assert advice in shown
    assert words in shown or status_number in shown
    assert "Nothing was created" in shown


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("wrong secret", "Authentication failed"),
        ("address", "Address not allowed"),
        ("application", "appId is refused"),
        ("down", ""),
    ],
)
def test_what_the_account_refuses_before_is_shown_too(
    trouble: str, words: str, sandbox: Sandbox, ledger: Ledger
) -> None:
    """While it plans: an error in words, no run, and the order can be sent once that is mended."""
    account = sandbox.account
    if trouble == "wrong secret":
        account = Account(account.api_key, "wrong", account.base_url)
    sandbox.allowed_addresses = [] if trouble == "address" else None
    sandbox.app_ids = [] if trouble == "application" else None
    with Client(account) as client, closing(OrderForm(client, ledger)) as form:
        fill(form)
        if trouble == "down":
            sandbox.stop()
        create(form)
        assert status(form).startswith("Error: ")
        assert words in status(form)
        assert "Traceback" not in status(form)
        assert (len(ledger.runs), requests_to_create(sandbox)) == (0, 0)
        assert not form.create.disabled
        sandbox.allowed_addresses = sandbox.app_ids = None
        if trouble == "down":
            sandbox.start()
        if trouble != "wrong secret":
            create(form)
            assert len(sandbox.phones) == 3


def test_a_group_that_exists_is_said_to_exist(form: OrderForm, client: Client, sandbox: Sandbox) -> None:
    """Nothing is sent; its phones are listed."""
    client.create_phones(group("sales", "desk"))
    fill(form)
    create(form)
    assert requests_to_create(sandbox) == 1
    assert "1 existed" in status(form)
    assert "Nothing was sent: the group exists already." in status(form)
    assert "desk-1" in text_of(form.result)


def test_a_taken_phone_name_is_refused_and_can_be_mended(form: OrderForm, client: Client, sandbox: Sandbox) -> None:
    """In words, with the group that has it; as the advice says, by another phone name."""
    client.create_phones(group("others", "desk"))
    fill(form)
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


def test_a_lost_answer_is_resolved(form: OrderForm, sandbox: Sandbox) -> None:
    """The run lists the account, and the form shows that the phones are there; none is sent twice."""
    sandbox.faults = "drop-after"
    fill(form)
    create(form)
    assert "1 created (3 phones)" in status(form)
    assert (len(sandbox.phones), requests_to_create(sandbox)) == (3, 1)
    assert "desk-3" in form.result.value
    assert "1 problem" in text_of(form.monitor.problems.area)


def test_made_anew_it_shows_the_newest_run(form: OrderForm, client: Client, ledger: Ledger) -> None:
    """After a reload, in words."""
    fill(form)
    create(form)
    with closing(OrderForm(client, ledger)) as again:
        assert status(again).startswith("The newest run in the ledger: Done. Groups: 1 created (3 phones)")
        assert "1 created (3 phones)" in repr(again)
        assert again.create.disabled


def test_what_others_write_later_leaves_the_outcome(form: OrderForm, client: Client, ledger: Ledger) -> None:
    """A form with a run that is over shows what others learn of it, and nothing of other runs."""
    fill(form)
    create(form)
    submit_plan(make_plan(orders_frame(("support", "line"))), client, ledger).wait()
    wait_for_poll(form)
    assert "1 created" in status(form)


def test_a_ledger_that_is_gone_is_shown(form: OrderForm, ledger: Ledger, sandbox: Sandbox) -> None:
    """Nothing is sent without one."""
    fill(form)
    ledger.path.unlink()
    create(form)
    assert status(form).startswith("Error: The ledger ")
    assert "the file was deleted or replaced" in status(form)
    assert requests_to_create(sandbox) == 0


def test_hostile_text_in_a_field_is_text(form: OrderForm) -> None:
    """In its note, in the preview, beside the button."""
    fill(form)
    for name in GOOD:
        for text in HOSTILE if name == "groupName" else HOSTILE[:2]:
            form.fields[name].value = text
            assert_form_harmless(form)
        form.fields[name].value = GOOD[name]


def test_hostile_names_that_exist_are_text(form: OrderForm, sandbox: Sandbox) -> None:
    """In all that comes back."""
    fill(form, groupName=HOSTILE[0], phoneName=HOSTILE[1][:28], appId=HOSTILE[2])
    create(form)
    assert len(sandbox.phones) == 3
    assert_form_harmless(form)
