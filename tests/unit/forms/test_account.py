"""Which account a form works on: given, configured or typed in; and a secret that stays nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from itnio_nb import BatchForm, Client, Ledger, OrderForm, Sandbox, Secret
from itnio_nb.forms.account import session_sandbox
from tests.support.factories import APP, group
from tests.support.forms import (
    HOSTILE,
    all_widgets,
    assert_form_harmless,
    click,
    click_hastily,
    send_from_page,
    status,
    text_of,
)

FORMS = [OrderForm, BatchForm]


@pytest.fixture
def form() -> Iterator[OrderForm]:
    """A form that knows no account."""
    with closing(OrderForm()) as made:
        yield made


@pytest.fixture(autouse=True)
def _new_sandbox() -> Iterator[None]:
    """The sandbox of a session is one for a process: here, one for a test."""
    yield
    if session_sandbox.cache_info().currsize:
        session_sandbox().close()
        session_sandbox.cache_clear()


def type_account(form: OrderForm | BatchForm, sandbox: Sandbox, secret: str = "") -> None:
    form.account.key.value = f" {sandbox.account.api_key} "
    type_secret(form, secret or sandbox.account.api_secret.reveal())
    form.account.address.value = sandbox.account.base_url


def type_secret(form: OrderForm | BatchForm, secret: str) -> None:
    """As a page does."""
    send_from_page(form.account.secret, method="custom", content={"secret": secret})


def states(form: OrderForm) -> str:
    """What a page, or a notebook that saves its widgets, could have of a form."""
    return "".join(str(widget.get_state()) for widget in all_widgets(form))


def asks(form: OrderForm | BatchForm) -> bool:
    """Whether the account panel is shown, and not what the form is for."""
    panel, content = form.account.body.layout.display, form.children[-1].layout.display
    assert sorted((panel or "", content or "")) == ["", "none"]
    return bool(content == "none")


@pytest.mark.parametrize("kind", FORMS)
def test_without_an_account_it_asks_for_one(kind: type[OrderForm], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is shown, nothing is opened, no file is made; nor with half of one, and what is missing is said."""
    with closing(kind()) as form:
        assert asks(form)
        assert repr(form) == f"{kind.__name__}: no account yet."
        assert (form.account.is_open, form.account.banner.value) == (False, "")
        assert "<b>itnio-nb login</b>" in form.account.body.children[0].value
        assert_form_harmless(form)
        assert (form.account.use_account.disabled, form.account.use_sandbox.disabled) == (False, False)
        click_hastily(form, form.create if isinstance(form, OrderForm) else form.result.reconcile)
        assert status(form).startswith("Error: ")
        assert asks(form)
    monkeypatch.setenv("ITNIO_API_KEY", "bDqJFiq9")
    with closing(kind()) as form:
        assert status(form).startswith("Error: ")
        assert repr(form).splitlines()[0] == f"{kind.__name__}: no account yet."
        assert "ITNIO_API_SECRET" in repr(form)
        assert asks(form)
        assert not form.account.use_account.disabled
    assert list(Path().iterdir()) == []


def test_the_secret_leaves_its_field_at_once(form: OrderForm, sandbox: Sandbox) -> None:
    """Before any button is pressed, and it is in no widget's state then or afterwards; a mistake is typed again.

    The account that was typed is used, with its banner and its own ledger.
    """
    secret = sandbox.account.api_secret.reveal()
    type_account(form, sandbox, "a-wrong-secret")
    type_secret(form, secret)
    assert form.account.secret.note == "taken; type it again to change it"
    assert secret not in states(form) + repr(form) + str(vars(form.account)) + str(form.account.secret._trait_values)
    click(form, form.account.use_account)
    assert secret not in states(form) + repr(form) + str(form._repr_mimebundle_())
    assert not asks(form)
    assert "SANDBOX" in form.account.banner.value
    assert sandbox.base_url in form.account.banner.value
    assert repr(form) == "OrderForm: SANDBOX."
    click(form, form.account.use_account)
    assert "The API secret is empty" in status(form)  # it was dropped
    with form.account.workspace as workspace:
        assert workspace.client.account == sandbox.account
        assert workspace.client.account.api_secret == sandbox.account.api_secret
        assert workspace.ledger.path.resolve() == Path("results", "ledger.sqlite").resolve()
        assert workspace.client.list_phones(APP).empty


def test_a_typed_secret_is_never_sent_back(form: OrderForm, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a page sends it, whole: no message to any page holds it; what is no secret is left alone."""
    messages: list[str] = []
    monkeypatch.setattr(type(form.comm), "publish_msg", lambda self, *args, **rest: messages.append(f"{args} {rest}"))
    type_secret(form, "a-true-secret")
    assert not [message for message in messages if "a-true-secret" in message]
    assert [message for message in messages if "taken; type it again" in message]
    for content in ({}, {"secret": ""}, {"secret": None}, {"secret": ["a"]}, {"other": "x"}):
        send_from_page(form.account.secret, method="custom", content=content)
    assert form.account._secret == Secret("a-true-secret")


def test_what_cannot_be_an_account_is_shown(form: OrderForm, sandbox: Sandbox) -> None:
    """In words that name what is wrong, hostile text as text; the form goes on asking, until it is right.

    A secret need not be typed again once it was there.
    """
    form.account.key.value = sandbox.account.api_key
    click(form, form.account.use_account)
    assert "The API secret is empty" in status(form)
    for key, secret, address, words in (
        ("", "secret", "http://127.0.0.1:9/voice", "API key"),
        ("key", " secret", "http://127.0.0.1:9/voice", "The API secret has blanks around it"),
        ("key", "secret", "ftp://127.0.0.1", "address"),
        ("key", "secret", "http://api.example.com/voice", "https"),
        *((text, "secret", f"http://{text}", "") for text in HOSTILE),
    ):
        form.account.key.value, form.account.address.value = key, address
        type_secret(form, secret)
        click(form, form.account.use_account)
        assert words in status(form)
        assert status(form).startswith("Error: ")
        assert asks(form)
        assert_form_harmless(form)
    type_account(form, sandbox)
    form.account.address.value = "nonsense"
    click(form, form.account.use_account)
    form.account.address.value = sandbox.base_url
    click(form, form.account.use_account)
    assert not asks(form)
    form.account.workspace.close()


def test_a_configured_account_is_used_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live one is named by a banner that cannot be missed, and has the user's own ledger."""
    monkeypatch.setenv("ITNIO_API_KEY", "a-live-key-1234")
    monkeypatch.setenv("ITNIO_API_SECRET", "7bz1lzh9")
    with closing(OrderForm()) as form, form.account.workspace as workspace:
        assert not asks(form)
        assert text_of(form.account.banner).startswith("LIVE ACCOUNT …1234 at https://")
        assert "the API cannot delete them" in text_of(form.account.banner)
        assert repr(form) == "OrderForm: LIVE ACCOUNT …1234."
        assert "7bz1lzh9" not in states(form)
        assert workspace.ledger.path.name == "default-ledger.sqlite"


def test_what_is_given_goes_before_what_is_configured(
    client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Client and ledger; without a ledger the account's own is opened, and one that cannot be used is shown."""
    monkeypatch.setenv("ITNIO_API_KEY", "half of another")
    with closing(OrderForm(client, ledger)) as form:
        assert (form.account.workspace.client, form.account.workspace.ledger) == (client, ledger)
        assert status(form) == ""
    with closing(OrderForm(client)) as form:
        own = form.account.workspace.ledger
        assert own.path.name == "ledger.sqlite"
    own.close()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    Path("results").write_text("a file where the folder would be")
    with closing(OrderForm(client)) as form:
        assert status(form).startswith("Error: The ledger ")
        assert asks(form)


def test_a_sandbox_is_a_click(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for the session, named as such by banner and text: a cell that is run again finds its phones.

    It keeps the ledger that was given. The environment can ask for it, whatever account is configured.
    """
    with closing(OrderForm(None, ledger)) as first, closing(BatchForm()) as second:
        for form in (first, second):
            click(form, form.account.use_sandbox)
            assert not asks(form)
            assert "SANDBOX" in form.account.banner.value
            assert form.account.workspace.client.account.is_loopback
        assert first.account.workspace.ledger is ledger
        first.account.workspace.client.create_phones(group("sales", "desk"))
        assert len(second.account.workspace.client.list_phones(APP)) == 3
    monkeypatch.setenv("ITNIO_SANDBOX", "1")
    monkeypatch.setenv("ITNIO_API_KEY", "key")
    with closing(OrderForm()) as form:
        assert not asks(form)
        assert text_of(form.account.banner).startswith("SANDBOX")
