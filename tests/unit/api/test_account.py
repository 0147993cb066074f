"""The account: what is accepted, where it is read from, and a secret that never shows."""

from __future__ import annotations

import copy
import logging
import pickle
import re
import traceback
from pathlib import Path

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


def test_one_account_is_written_in_one_way() -> None:
    """The ledger knows a group by its base address: spelling must not make a second one."""
    for url in ("https://api.itniotech.com/voice/", " HTTPS://API.ITNIOTECH.COM:443/voice "):
        assert Account("key", "secret", url).base_url == "https://api.itniotech.com/voice"
    for url in ("https://api.onbuka.com/v3/voice", "http://127.0.0.1:8080/voice", "http://[::1]:8080/voice"):
        assert Account("key", "secret", url).base_url == url


@pytest.mark.parametrize(
    "url", ["", "api.itniotech.com/voice", "ftp://host/voice", "https://", "https://host:port/", "https://host/?a=b"]
)
def test_bad_addresses_are_refused_with_an_example(url: str) -> None:
    """The message shows what an address looks like."""
    with pytest.raises(AccountError, match=re.escape("https://api.itniotech.com/voice")):
        Account("key", "secret", url)


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


def test_from_env_reads_environment_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment goes first; what it lacks comes from the nearest .env; the address where it is set."""
    (tmp_path / ".env").write_text("ITNIO_API_KEY=from-file\nITNIO_API_SECRET='file secret'\n", encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setenv("ITNIO_API_KEY", "from-environment")
    assert Account.from_env() == Account("from-environment", "file secret")
    monkeypatch.setenv("ITNIO_API_SECRET", "secret")
    monkeypatch.setenv("ITNIO_BASE_URL", "http://127.0.0.1:1/voice")
    assert Account.from_env() == Account("from-environment", "secret", "http://127.0.0.1:1/voice")


@pytest.mark.parametrize(
    ("have", "missing", "present"),
    [
        ({}, ["ITNIO_API_KEY", "ITNIO_API_SECRET", "are not set"], []),
        ({"ITNIO_API_KEY": "k"}, ["ITNIO_API_SECRET", "is not set"], ["ITNIO_API_KEY"]),
        ({"ITNIO_API_SECRET": CANARY, "ITNIO_API_KEY": ""}, ["ITNIO_API_KEY"], ["ITNIO_API_SECRET", CANARY]),
    ],
)
def test_from_env_names_exactly_what_is_missing(
    have: dict[str, str], missing: list[str], present: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the missing variables and no other; empty is missing."""
    for name, value in have.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AccountError) as refused:
        Account.from_env()
    assert all(word in str(refused.value) for word in missing)
    assert not any(word in str(refused.value) for word in present)


def test_a_dotenv_file_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other encodings; the error holds nothing of its text."""
    for data in ("ITNIO_API_SECRET=s3crét".encode("latin-1"), "ITNIO_API_SECRET=canary".encode("utf-16")):
        (tmp_path / ".env").write_bytes(data)
        words = r"\.env cannot be read \(it is not UTF-8 text\): mend or delete it"
        with pytest.raises(AccountError, match=words) as raised:
            Account.from_env()
        assert raised.value.__context__ is None


def test_a_dotenv_file_is_taken_literally(tmp_path: Path) -> None:
    """A secret may hold a dollar sign; a byte order mark is no part of a name."""
    text = "\ufeffITNIO_API_KEY=key\nITNIO_API_SECRET='a${HOME}b'\n"
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    assert Account.from_env().api_secret.reveal() == "a${HOME}b"
    (tmp_path / "other").mkdir()
    assert Account.from_env(tmp_path / "other").api_key == "key"
    assert Account.is_configured(tmp_path / "other")
