"""The account: what is accepted, where it is read from, and a secret that never shows."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback

import pytest

from itnio_nb import Account, AccountError, Secret

CANARY = "s3cr3t-canary"


def test_secret_never_shows(caplog: pytest.LogCaptureFixture) -> None:
    """repr, str, format, %, logs, nested structures: the mask everywhere."""
    account = Account("key", CANARY)
    secret = account.api_secret
    logging.getLogger("test").warning("%s %r %s", secret, account, [secret])
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", "%s" % secret, repr(account), str({"a": secret})]  # noqa: UP031 - it is what is tested
    assert not [text for text in [*shown, caplog.text] if CANARY in text]
    assert f"{secret:>10}" == "  ********"
    assert secret.reveal() == CANARY


def test_secret_is_not_in_tracebacks_with_variables() -> None:
    """A traceback that captures local variables shows the mask."""
    with pytest.raises(AccountError) as refused:
        Account("key", CANARY, "ftp://nowhere")
    shown = "".join(traceback.TracebackException.from_exception(refused.value, capture_locals=True).format())
    assert "api_secret=********" in shown
    assert CANARY not in shown


def test_secret_is_not_pickled_but_copied() -> None:
    """Pickling is refused, for the account too; a copy is the secret itself."""
    account = Account("key", CANARY)
    for thing in (account.api_secret, account):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(thing)
    assert copy.deepcopy(account) == account
    assert copy.copy(account.api_secret) is account.api_secret


def test_secrets_compare_by_their_text() -> None:
    """Two secrets are equal if their texts are, and never equal to a text."""
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_a_password_in_the_address_is_not_echoed() -> None:
    """User name and password in an address are refused, and not shown."""
    with pytest.raises(AccountError) as refused:
        Account("key", "secret", f"https://user:{CANARY}@host/voice")
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(("key", "secret"), [("", "s"), ("k", ""), (" k", "s"), ("k\n", "s"), ("k", "s "), ("ké", "s")])
def test_unusable_credentials_are_refused(key: str, secret: str) -> None:
    """Blanks, line breaks and empty texts are found before the server says -1."""
    with pytest.raises(AccountError):
        Account(key, secret)
