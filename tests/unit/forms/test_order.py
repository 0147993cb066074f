"""One order, by clicking: checked as one types, shown before it is sent, sent once, told in words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from itnio_nb import Account, Client, Ledger, Sandbox, make_plan, submit_plan
from itnio_nb.forms.order import OrderForm
from tests.support.factories import APP, group, many_orders, orders_frame, until
from tests.unit.forms.test_base import HOSTILE, SOME_HOSTILE, assert_harmless_below, below, text_of
from tests.unit.forms.test_monitor import elsewhere, sent

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
    form.wait(5)


def create(form: OrderForm) -> None:
    form.create.click()
    settle(form)


def settle(form: OrderForm) -> None:
    """Wait for the run, and for the look that may be under way after it."""
    form.wait(10)
    form.ask(lambda: None)
    form.wait(10)


def all_text(form: OrderForm) -> str:
    return "".join(str(widget.get_state()) for widget in below(form)) + repr(form)


def test_an_empty_form_says_what_each_field_takes(form: OrderForm) -> None:
    """A field that was not filled in yet is no mistake; nothing can be created."""
    assert {name: text_of(note) for name, note in form.notes.items()} == HINTS
    assert form.create.disabled
    assert text_of(form.sentence) == "Fill in all five fields."
    assert repr(form) == "OrderForm: SANDBOX."
    assert text_of(form.preview) == "The groups and their requests appear here."
    assert form.watch.body.layout.display == "none"
    assert [made.description for made in form.fields.values()] == [
        "Group name",
        "Phone name",
        "Phones",
        "Display number",
        "Application",
    ]


def test_a_good_order_can_be_created(form: OrderForm) -> None:
    """What it creates, and where, is said beside the button; the limits stay."""
    fill(form)
    assert not form.create.disabled
    assert text_of(form.sentence) == "creates 3 phones in 1 group on SANDBOX. The API cannot delete them."
    assert repr(form) == "OrderForm: SANDBOX. Ready to create 3 phones in 1 group."
    assert {name: text_of(note) for name, note in form.notes.items()} == HINTS


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("groupName", "abc", "error: has 3 characters; 4 to 32 characters are allowed"),
        ("groupName", "x" * 33, "error: has 33 characters; 4 to 32 characters are allowed"),
        ("groupName", "a\x07bcd", "error: contains a line break or another control character"),
        ("phoneName", "dsk", "error: has 3 characters; 4 to 32 characters are allowed"),
        ("phoneName", "x" * 33, "Shorten the phone name."),
        ("quantity", "0", "error: asks for no phone"),
        ("quantity", "-1", "error: is not a whole number"),
        ("quantity", "2.5", "error: is not a whole number"),
        ("quantity", "many", "Write how many phones in digits, such as 30."),
        ("quantity", "99999999", "error: is more than"),
        ("displayNum", "123456", "error: has 6 digits; 7 to 13 digits are allowed"),
        ("displayNum", "12345678901234", "error: has 14 digits; 7 to 13 digits are allowed"),
        ("displayNum", "phone", "error: holds more than the digits 0 to 9"),
    ],
)
def test_a_wrong_field_says_so_as_one_types(name: str, value: str, words: str, form: OrderForm) -> None:
    """In words beside it, not only in red; nothing can be created until it is right again."""
    fill(form, **{name: value})
    assert words in text_of(form.notes[name])
    assert "class='error'" in form.notes[name].value
    assert form.create.disabled
    assert [other for other in HINTS if text_of(form.notes[other]) != HINTS[other]] == [name]
    assert text_of(form.sentence) == "Mend what is marked first."
    form.create.disabled = False  # as a page that does not know
    create(form)
    form.fields[name].value = GOOD[name]
    form.wait(5)
    assert text_of(form.notes[name]) == HINTS[name]
    assert not form.create.disabled


@pytest.mark.parametrize("name", list(GOOD))
def test_a_field_that_lacks_keeps_the_order_back(name: str, form: OrderForm) -> None:
    """Blanks are nothing either."""
    fill(form, **{name: ""})
    assert form.create.disabled
    assert text_of(form.notes[name]) == HINTS[name]
    form.fields[name].value = "  "
    form.wait(5)
    assert form.create.disabled
    assert "is empty" in text_of(form.notes[name])


@pytest.mark.parametrize(
    ("name", "value", "wire", "words"),
    [
        (
            "displayNum",
            "+86 100-0000",
            '"displayNum": "861000000"',
            "repaired: had a + before it; had separators in it",
        ),
        ("quantity", " 5 ", '"quantity": 5', "repaired: had blanks around it"),
        ("groupName", " sales", '"groupName": "sales"', "repaired: had blanks around it"),
        ("phoneName", "de\u200bsk", '"phoneName": "desk"', "repaired: had invisible characters in it"),
    ],
)
def test_what_can_be_mended_is_mended_and_said(name: str, value: str, wire: str, words: str, form: OrderForm) -> None:
    """The request shows what will be sent, and it can be created."""
    fill(form, **{name: value})
    assert words in text_of(form.notes[name])
    assert "class='warning'" in form.notes[name].value
    assert wire in text_of(form.preview)
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


def test_one_phone_has_one_name(form: OrderForm) -> None:
    """Grammar, too."""
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
    assert len(sandbox.phones) == 230
    assert sent(sandbox) == 5
    until(lambda: "The first 200 of 230." in text_of(form.outcome))


def test_creating_is_told_with_the_phones(form: OrderForm, sandbox: Sandbox) -> None:
    """The summary, the group, each phone that exists now; passwords stay masked."""
    fill(form)
    create(form)
    assert text_of(form.said).startswith("Done. Groups: 1 created (3 phones), 0 existed")
    assert "Verified: 3 of 3 phones." in text_of(form.said)
    assert "class='good'" in form.said.value
    outcome = text_of(form.outcome)
    assert outcome.startswith("What came back")
    assert "Phones that exist now" in outcome
    for _, phone in sandbox.phones.iterrows():
        assert phone["phoneName"] in outcome
        assert phone["account"] in outcome
        assert phone["password"] not in all_text(form)
    assert "********" in outcome
    assert repr(form).splitlines()[1].startswith("Done. Groups: 1 created (3 phones)")
    assert (form.watch.bar.value, form.watch.stop.disabled) == (1, True)
    assert form.watch.body.layout.display == "none"  # the outcome stands in its place


def test_the_end_is_told_once(form: OrderForm, sandbox: Sandbox) -> None:
    """The phones are listed once for it, and what is shown does not change under one's eyes after `wait`."""
    fill(form)
    values: list[str] = []
    form.outcome.observe(lambda change: values.append(change["new"]), "value")
    create(form)
    until(lambda: form.create.disabled and "was sent" in text_of(form.sentence))
    threading.Event().wait(0.1)
    assert [value for value in values if value and "Phones that exist now" not in value] == []
    assert len([value for value in values if value]) == 1


def test_only_the_phones_of_this_order_are_listed(form: OrderForm, client: Client) -> None:
    """Not all that the application has."""
    client.create_phones(group("others", "line"))
    fill(form)
    create(form)
    assert "line-1" not in form.outcome.value
    assert "desk-1" in form.outcome.value


def test_a_double_click_sends_nothing_twice(form: OrderForm, sandbox: Sandbox, ledger: Ledger) -> None:
    """Nor a third one, later: that order was sent."""
    sandbox.latency = 0.05
    fill(form)
    for _ in range(3):
        form.create.disabled = False
        form.create.click()
    form.wait(10)
    assert sent(sandbox) == 1
    assert form.create.disabled
    assert text_of(form.sentence) == "This order was sent. Change a field for another one."
    form.create.disabled = False
    create(form)
    assert sent(sandbox) == 1
    assert (sandbox.served["sipAdd", "-20"], len(sandbox.phones)) == (0, 3)


def test_another_order_can_follow(form: OrderForm, sandbox: Sandbox, ledger: Ledger) -> None:
    """A changed field makes it another one."""
    fill(form)
    create(form)
    fill(form, groupName="support", phoneName="line")
    assert not form.create.disabled
    create(form)
    assert sandbox.phones["groupName"].unique().tolist() == ["sales", "support"]
    assert "support" in form.outcome.value
    assert "desk-1" not in form.outcome.value
    assert len(ledger.runs) == 2


def test_a_changed_order_is_ready_and_says_so(form: OrderForm) -> None:
    """The text form tells what would be created now, as the widgets do."""
    fill(form)
    create(form)
    fill(form, groupName="support", phoneName="line", quantity="7")
    assert text_of(form.sentence).startswith("creates 7 phones in 1 group on SANDBOX")
    assert "Ready to create 7 phones in 1 group." in repr(form)


@pytest.mark.parametrize(
    ("status", "words", "advice"),
    [
        ("-1", "Authentication error", "Check ITNIO_API_KEY and ITNIO_API_SECRET"),
        ("-2", "Restricted IP access", "Add the address in the ITNIO console"),
        ("-16", "Timestamp expires", "Set this machine's clock"),
        ("-23", "Data caps", "Have the limit raised or use another application"),
    ],
)
def test_a_refused_order_is_told_in_words(
    status: str, words: str, advice: str, form: OrderForm, sandbox: Sandbox
) -> None:
    """What it means, that nothing was created, what to do; as the account answers when it is asked to create."""
    fill(form)
    create_phones = form.tools[0].create_phones
    sandbox.cap = 2 if status == "-23" else None

    def asked_too_late(one: object) -> object:
        """Refuse from the very request on: the plan's listing was still answered."""
        if status == "-2":
            sandbox.allowed_addresses = []
        if status == "-16":
            sandbox.faults = "clock=1"
        if status == "-1":
            sandbox.add_account(sandbox.account.api_key, "changed")
        return create_phones(one)  # type: ignore[arg-type]

    form.tools[0].create_phones = asked_too_late  # type: ignore[method-assign, assignment]
    create(form)
    told = text_of(form.said) + text_of(form.outcome)
    assert sandbox.phones.empty
    assert advice in told
    assert words in told or status in told
    assert "Nothing was created" in told


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("wrong secret", "Authentication failed"),
        ("address", "Address not allowed"),
        ("application", "appId is refused"),
    ],
)
def test_what_the_account_refuses_before_is_told_too(
    trouble: str, words: str, sandbox: Sandbox, ledger: Ledger
) -> None:
    """While it plans: an error in words, no run, and the order can be sent once it is mended."""
    account = sandbox.account
    if trouble == "wrong secret":
        account = Account(account.api_key, "wrong", account.base_url)
    elif trouble == "address":
        sandbox.allowed_addresses = []
    else:
        sandbox.app_ids = []
    with Client(account) as client, closing(OrderForm(client, ledger)) as form:
        fill(form)
        create(form)
        assert text_of(form.said).startswith("Error: ")
        assert words in text_of(form.said)
        assert (len(ledger.runs), sent(sandbox)) == (0, 0)
        assert not form.create.disabled
        sandbox.allowed_addresses = sandbox.app_ids = None
        if trouble != "wrong secret":
            create(form)
            assert len(sandbox.phones) == 3


@pytest.mark.slow
def test_a_server_that_is_down_is_told(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """And tried again by the same button when it is back."""
    with closing(OrderForm(client, ledger)) as form:
        fill(form)
        sandbox.stop()
        create(form)
        assert text_of(form.said).startswith("Error: ")
        assert "Traceback" not in text_of(form.said)
        assert not form.create.disabled
        sandbox.start()
        create(form)
        assert len(sandbox.phones) == 3


def test_a_group_that_exists_is_said_to_exist(form: OrderForm, client: Client, sandbox: Sandbox) -> None:
    """Nothing is sent; its phones are listed."""
    client.create_phones(group("sales", "desk"))
    fill(form)
    create(form)
    assert sent(sandbox) == 1
    assert "1 existed" in text_of(form.said)
    assert "Nothing was sent: the group exists already." in text_of(form.said)
    assert "desk-1" in text_of(form.outcome)


def test_a_taken_phone_name_is_refused_in_words(form: OrderForm, client: Client, sandbox: Sandbox) -> None:
    """With the group that has it."""
    client.create_phones(group("others", "desk"))
    fill(form)
    create(form)
    told = text_of(form.said) + text_of(form.outcome)
    assert "class='warning'" in form.said.value
    assert "1 refused" in told
    assert "the phone name is taken by group others" in told
    assert "Choose another phone name." in told
    assert "None of these groups is there." in told
    assert len(sandbox.phones) == 3


def test_an_order_that_was_refused_can_be_mended(form: OrderForm, client: Client, sandbox: Sandbox) -> None:
    """As the advice says: another phone name."""
    client.create_phones(group("others", "desk"))
    fill(form)
    create(form)
    form.fields["phoneName"].value = "line"
    form.wait(5)
    assert not form.create.disabled
    create(form)
    assert len(sandbox.phones) == 6
    assert "1 created" in text_of(form.said)


@pytest.mark.parametrize("fault", ["drop-after", "500-after", "html", "truncated"])
def test_a_lost_answer_is_settled(fault: str, form: OrderForm, sandbox: Sandbox) -> None:
    """The form looks, and tells that the phones are there; none is sent twice."""
    sandbox.faults = fault
    fill(form)
    create(form)
    assert "1 created (3 phones)" in text_of(form.said)
    assert len(sandbox.phones) == 3
    assert sent(sandbox) == 1
    assert "desk-3" in form.outcome.value
    assert "1 problem" in text_of(form.watch.problems)


def test_an_answer_that_stays_lost_is_unknown(form: OrderForm, sandbox: Sandbox) -> None:
    """As long as the account cannot be asked; told as a warning."""
    fill(form)
    sandbox.faults = ",".join(["drop-after", "query:none", *["query:-18-before"] * 40])
    create(form)
    assert "1 unknown" in repr(form)


def test_an_order_that_stayed_unknown_can_be_settled(form: OrderForm, sandbox: Sandbox) -> None:
    """The form does not end in a dead button: creating again looks, and sends nothing twice."""
    fill(form)
    sandbox.faults = ",".join(["drop-after", "query:none", *["query:-18-before"] * 40])
    create(form)
    sandbox.faults = None
    assert not form.create.disabled
    create(form)
    assert "1 created" in repr(form)
    assert (sent(sandbox), len(sandbox.phones)) == (1, 3)


def test_stop_leaves_the_rest_not_sent(form: OrderForm, sandbox: Sandbox) -> None:
    """A large order can be stopped; what was sent is listed, and pressing Create again goes on."""
    sandbox.latency = 0.1
    fill(form, quantity="5000")
    form.create.click()
    until(lambda: sent(sandbox) >= 4)
    until(lambda: not form.watch.stop.disabled)
    form.watch.stop.click()
    settle(form)
    assert "Stopped." in text_of(form.said)
    assert "not sent" in text_of(form.said)
    made = len(sandbox.phones)
    assert 0 < made < 5000


def test_a_stopped_order_can_be_finished(form: OrderForm, sandbox: Sandbox) -> None:
    """By the same button, each group once."""
    sandbox.latency = 0.1
    fill(form, quantity="5000")
    form.create.click()
    until(lambda: sent(sandbox) >= 4)
    until(lambda: not form.watch.stop.disabled)
    form.watch.stop.click()
    settle(form)
    sandbox.latency = 0
    assert not form.create.disabled
    create(form)
    assert len(sandbox.phones) == 5000
    assert sandbox.served["sipAdd", "-20"] == 0


def test_made_anew_it_tells_of_the_newest_run(form: OrderForm, client: Client, ledger: Ledger) -> None:
    """After a reload, what was done is told."""
    fill(form)
    create(form)
    with closing(OrderForm(client, ledger)) as again:
        assert text_of(again.said).startswith("The newest run in the ledger: Done. Groups: 1 created (3 phones)")
        assert "1 created (3 phones)" in repr(again)
        assert again.create.disabled


@pytest.mark.slow
def test_made_anew_it_follows_a_run_at_work(form: OrderForm, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """In the same process: both forms tell the end, and each could stop it."""
    sandbox.latency = 0.2
    fill(form, quantity="5000")
    form.create.click()
    until(lambda: sent(sandbox) >= 2)
    with closing(OrderForm(client, ledger)) as again:
        assert again.watch.at_work
        assert again.create.disabled
        again.ask(lambda: None)
        until(lambda: not again.watch.stop.disabled)
        again.watch.stop.click()
        again.wait(10)
        form.wait(10)
        assert text_of(again.said) == text_of(form.said)
        assert text_of(form.said).startswith("Warning: Stopped.")
        until(lambda: "The first 200 of " in form.outcome.value == again.outcome.value)


@pytest.mark.slow
def test_made_anew_it_follows_by_itself(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Nobody has to click for that."""
    sandbox.latency = 0.05
    run = submit_plan(make_plan(many_orders(20)), client, ledger, workers=2)
    with closing(OrderForm(client, ledger)) as form:
        assert form.watch.at_work
        form.wait(2)
        assert run.done
        assert "20 created (60 phones)" in text_of(form.said)
        assert "group-19" in form.outcome.value


def test_another_writer_is_seen(form: OrderForm, client: Client, ledger: Ledger) -> None:
    """A form with a run that is over shows what others learn of it."""
    fill(form)
    create(form)
    assert "1 created" in text_of(form.said)
    submit_plan(make_plan(orders_frame(("support", "line"))), client, ledger).wait()
    form.wait(5)
    assert "1 created" in text_of(form.said)


@pytest.mark.slow
def test_a_run_of_another_process_is_followed(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """It cannot be stopped here, and `wait` does not wait for it."""
    sandbox.latency = 0.05
    with elsewhere(sandbox, ledger, 200) as process, closing(OrderForm(client, ledger)) as form:
        assert form.watch.elsewhere
        assert form.watch.stop.disabled
        form.ask(lambda: None)
        assert form.wait(5) is form
        process.communicate("stop\n", timeout=30)
        until(lambda: "Stopped." in text_of(form.said))
        form.wait(5)


def test_a_ledger_that_is_gone_is_told(form: OrderForm, ledger: Ledger, sandbox: Sandbox) -> None:
    """Nothing is sent without one."""
    fill(form)
    ledger.path.unlink()
    create(form)
    assert text_of(form.said).startswith("Error: The ledger ")
    assert "the file was deleted or replaced" in text_of(form.said)
    assert sent(sandbox) == 0


@pytest.mark.parametrize("name", list(GOOD))
def test_hostile_text_in_a_field_is_text(name: str, form: OrderForm) -> None:
    """In its note, in the preview, beside the button."""
    for text in HOSTILE:
        fill(form, **{name: text})
        assert form.fields[name].value == text
        assert_harmless_below(form)


@pytest.mark.parametrize("text", SOME_HOSTILE)
def test_hostile_names_that_exist_are_text(text: str, form: OrderForm, sandbox: Sandbox) -> None:
    """In all that comes back."""
    fill(form, groupName=(text + "....")[:32], phoneName=(text + "....")[:28])
    create(form)
    assert len(sandbox.phones) == 3
    assert_harmless_below(form)


@pytest.mark.slow
def test_closing_the_form_leaves_the_run_at_work(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What is sent goes on; the form's thread ends."""
    sandbox.latency = 0.1
    before = {thread for thread in threading.enumerate() if thread.name == "form"}
    form = OrderForm(client, ledger)
    fill(form, quantity="1000")
    form.create.click()
    until(lambda: sent(sandbox) >= 2)
    until(lambda: form.watch.at_work)
    run = form.watch.record
    threads = {thread for thread in threading.enumerate() if thread.name == "form"} - before
    form.close()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert run is not None
    until(lambda: run.done, 20)
    assert len(sandbox.phones) == 1000
