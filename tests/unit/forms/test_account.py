"""Which account a form works on: given, configured or typed in; and a secret that stays nowhere."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import ipywidgets as widgets
import pytest

from itnio_nb import Client, Ledger, Sandbox
from itnio_nb.forms.account import _own_sandbox
from itnio_nb.forms.batch.form import BatchForm
from itnio_nb.forms.order import OrderForm
from tests.support.factories import APP, group
from tests.unit.forms.test_base import HOSTILE, assert_harmless_below, below, text_of

FORMS = [OrderForm, BatchForm]


@pytest.fixture
def form() -> Iterator[OrderForm]:
    """A form that knows no account."""
    with closing(OrderForm()) as made:
        yield made
        if made.client is not None:
            made.client.close()
        if made.ledger is not None:
            made.ledger.close()


def type_account(form: OrderForm, sandbox: Sandbox, secret: str = "") -> None:
    form.key.value = f" {sandbox.account.api_key} "
    form.secret.value = secret or sandbox.account.api_secret.reveal()
    form.address.value = sandbox.account.base_url


def states(form: OrderForm) -> str:
    """What a page, or a notebook that saves its widgets, could have of a form."""
    return "".join(str(widget.get_state()) for widget in below(form))


def shown(form: OrderForm) -> bool:
    return form.entrance.layout.display == "none" and form.body.layout.display is None


@pytest.mark.parametrize("kind", FORMS)
def test_without_an_account_it_asks_for_one(kind: type[OrderForm]) -> None:
    """Nothing else is shown, nothing is opened, no file is made."""
    with closing(kind()) as form:
        assert not shown(form)
        assert form.entrance.layout.display is None
        assert form.body.layout.display == "none"
        assert repr(form) == f"{kind.__name__}: no account yet."
        assert (form.client, form.ledger, form.banner.value) == (None, None, "")
        assert (form.enter.disabled, form.use_sandbox.disabled) == (False, False)
        assert form.wait(1) is form
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("kind", FORMS)
def test_a_typed_account_is_used(kind: type[OrderForm], sandbox: Sandbox) -> None:
    """With its banner, its own ledger, and the form behind it."""
    with closing(kind()) as form:
        type_account(form, sandbox)
        form.enter.click()
        form.wait(5)
        assert form.client is not None
        assert form.client.account == sandbox.account
        assert shown(form)
        assert "SANDBOX" in form.banner.value
        assert sandbox.base_url in form.banner.value
        assert repr(form).startswith(f"{kind.__name__}: SANDBOX")
        client, ledger = form.tools
        assert ledger.path.resolve() == Path("results", "ledger.sqlite").resolve()
        assert client.list_phones(APP).empty
        client.close()
        ledger.close()


def test_the_secret_leaves_its_field_at_once(form: OrderForm, sandbox: Sandbox) -> None:
    """Before any button is pressed, and it is in no widget's state then or afterwards."""
    secret = sandbox.account.api_secret.reveal()
    type_account(form, sandbox)
    assert form.secret.value == ""
    assert form.secret.placeholder == "taken; type it again to change it"
    assert secret not in states(form) + repr(form)
    form.enter.click()
    form.wait(5)
    assert shown(form)
    assert secret not in states(form) + repr(form) + str(form._repr_mimebundle_())
    assert form._secret is None


def test_a_typed_secret_is_never_sent_back(form: OrderForm, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a page sends it: no message to any page holds it, and the page's field is emptied."""
    messages: list[str] = []
    monkeypatch.setattr(type(form.comm), "publish_msg", lambda self, *args, **rest: messages.append(f"{args} {rest}"))
    update = {"method": "update", "state": {"value": "a-true-secret"}, "buffer_paths": []}
    form.secret._handle_msg({"content": {"data": update}, "buffers": []})
    assert form.secret.value == ""
    assert not [message for message in messages if "a-true-secret" in message]
    assert [message for message in messages if "'value': ''" in message]


def test_it_is_a_password_to_the_browser(form: OrderForm) -> None:
    """Masked while it is typed, and sent once, when it is whole."""
    assert isinstance(form.secret, widgets.Password)
    assert form.secret.get_state()["_view_name"] == "PasswordView"
    assert form.secret.continuous_update is False


def test_a_second_secret_takes_the_place_of_the_first(form: OrderForm, sandbox: Sandbox) -> None:
    """A mistake is typed again."""
    type_account(form, sandbox, "wrong")
    form.secret.value = sandbox.account.api_secret.reveal()
    form.enter.click()
    form.wait(5)
    assert form.client is not None
    assert form.client.account.api_secret == sandbox.account.api_secret


@pytest.mark.parametrize(
    ("key", "secret", "address", "words"),
    [
        ("", "secret", "http://127.0.0.1:9/voice", "API key"),
        ("key", "", "http://127.0.0.1:9/voice", "The API secret is empty"),
        ("key", " secret", "http://127.0.0.1:9/voice", "The API secret has blanks around it"),
        ("key", "secret", "ftp://127.0.0.1", "address"),
        ("key", "secret", "http://api.example.com/voice", "https"),
    ],
)
def test_what_cannot_be_an_account_is_said(
    key: str, secret: str, address: str, words: str, form: OrderForm, sandbox: Sandbox
) -> None:
    """In words that name what is wrong; the form goes on asking."""
    form.key.value, form.secret.value, form.address.value = key, secret, address
    form.enter.click()
    form.wait(5)
    assert words in text_of(form.said)
    assert text_of(form.said).startswith("Error: ")
    assert not shown(form)
    assert form.client is None


@pytest.mark.parametrize("kind", FORMS)
def test_after_a_mistake_one_may_try_again(kind: type[OrderForm], sandbox: Sandbox) -> None:
    """Its buttons live on, and the secret need not be typed again."""
    with closing(kind()) as form:
        type_account(form, sandbox)
        form.address.value = "nonsense"
        form.enter.click()
        form.wait(5)
        assert not shown(form)
        assert (form.enter.disabled, form.use_sandbox.disabled) == (False, False)
        form.address.value = sandbox.account.base_url
        form.enter.click()
        form.wait(5)
        assert shown(form)
        client, ledger = form.tools
        client.close()
        ledger.close()


def test_a_wrong_secret_is_said_when_the_account_is_asked(form: OrderForm, sandbox: Sandbox) -> None:
    """In words, with what to check; nothing is created."""
    type_account(form, sandbox, "wrong")
    form.enter.click()
    form.wait(5)
    values = {"groupName": "sales", "phoneName": "desk", "quantity": "3", "displayNum": "861000000", "appId": APP}
    for name, value in values.items():
        form.fields[name].value = value
    form.wait(5)
    form.create.click()
    form.wait(5)
    assert text_of(form.said).startswith("Error: ")
    assert "Authentication failed" in text_of(form.said)
    assert sandbox.phones.empty


@pytest.mark.parametrize("kind", FORMS)
def test_half_of_an_account_is_said(kind: type[OrderForm], monkeypatch: pytest.MonkeyPatch) -> None:
    """Which variable is missing, in words and at once; one may type an account then."""
    monkeypatch.setenv("ITNIO_API_KEY", "bDqJFiq9")
    with closing(kind()) as form:
        assert text_of(form.said).startswith("Error: ")
        assert "ITNIO_API_SECRET" in text_of(form.said)
        assert repr(form).splitlines()[0] == f"{kind.__name__}: no account yet."
        assert "ITNIO_API_SECRET" in repr(form)
        assert not shown(form)
        assert not form.enter.disabled


def test_a_configured_account_is_used_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live one is named by a banner that cannot be missed, and has the user's own ledger."""
    settings = {"KEY": "a-live-key-1234", "SECRET": "7bz1lzh9"}
    for name, value in settings.items():
        monkeypatch.setenv(f"ITNIO_API_{name}", value)
    with closing(OrderForm()) as form:
        assert shown(form)
        assert text_of(form.banner).startswith("LIVE ACCOUNT …1234 at https://")
        assert "the API cannot delete them" in text_of(form.banner)
        assert repr(form) == "OrderForm: LIVE ACCOUNT …1234."
        assert form.secret.value == ""
        assert "7bz1lzh9" not in states(form)
        client, ledger = form.tools
        assert ledger.path.name == "default-ledger.sqlite"
        client.close()
        ledger.close()


def test_a_ledger_that_cannot_be_used_is_said(sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    """Instead of a traceback."""
    Path("results").write_text("a file where the folder would be")
    with closing(OrderForm(client)) as form:
        assert text_of(form.said).startswith("Error: The ledger ")
        assert not shown(form)


def test_a_given_client_goes_before_what_is_configured(
    client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a given ledger before the account's own."""
    monkeypatch.setenv("ITNIO_API_KEY", "half of another")
    with closing(OrderForm(client, ledger)) as form:
        assert form.tools == (client, ledger)
        assert form.said.value == ""
    with closing(OrderForm(client)) as form:
        assert form.tools[1].path.name == "ledger.sqlite"
        form.tools[1].close()


@pytest.fixture(autouse=True)
def _forget_sandbox() -> Iterator[None]:
    """The sandbox of a rehearsal is one for a process: here, one for a test."""
    yield
    if _own_sandbox.cache_info().currsize:
        _own_sandbox().close()
        _own_sandbox.cache_clear()


@pytest.mark.parametrize("kind", FORMS)
def test_a_sandbox_is_a_click(kind: type[OrderForm]) -> None:
    """A sandbox of its own, named as such by banner and text."""
    with closing(kind()) as form:
        form.use_sandbox.click()
        form.wait(5)
        assert shown(form)
        assert "SANDBOX" in form.banner.value
        client, _ = form.tools
        assert client.account.is_loopback
        assert client.list_phones(APP).empty


def test_a_sandbox_made_again_finds_its_phones() -> None:
    """A cell that is run again is no other sandbox."""
    with closing(OrderForm()) as first, closing(OrderForm()) as second:
        for form in (first, second):
            form.use_sandbox.click()
            form.wait(5)
        first.tools[0].create_phones(group("sales", "desk"))
        assert len(second.tools[0].list_phones(APP)) == 3


def test_a_sandbox_keeps_the_ledger_that_was_given(ledger: Ledger) -> None:
    """Nothing is written where nobody looks."""
    with closing(OrderForm(None, ledger)) as form:
        form.use_sandbox.click()
        form.wait(5)
        assert form.tools[1] is ledger


def test_a_sandbox_can_be_asked_for_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever account is configured."""
    monkeypatch.setenv("ITNIO_SANDBOX", "1")
    monkeypatch.setenv("ITNIO_API_KEY", "key")
    with closing(OrderForm()) as form:
        assert shown(form)
        assert text_of(form.banner).startswith("SANDBOX")


def test_a_double_click_on_use_opens_once(form: OrderForm, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is left while the first is done."""
    opened: list[object] = []
    open_one = form._open

    def noted(client: Client, ledger: Ledger) -> None:
        opened.append(client)
        open_one(client, ledger)

    monkeypatch.setattr(form, "_open", noted)
    type_account(form, sandbox)
    form.act(lambda: None)
    form.enter.disabled = False  # as a page that does not know yet
    form.enter.click()
    form.wait(5)
    assert opened == []  # the click came while another was done
    form.enter.click()
    form.wait(5)
    assert len(opened) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_account_is_text(text: str, form: OrderForm) -> None:
    """In the banner, and in what is said."""
    form.key.value, form.secret.value, form.address.value = text, "secret", f"http://{text}"
    form.enter.click()
    form.wait(5)
    assert_harmless_below(form)


def test_no_secret_is_left_in_any_text_in_memory(form: OrderForm, sandbox: Sandbox) -> None:
    """What a traceback with variables, or a look at the form's attributes, would show."""
    type_account(form, sandbox, "a-true-secret")
    assert "a-true-secret" not in str(vars(form))
    gc.collect()
    assert "a-true-secret" not in str(form.secret._trait_values)
