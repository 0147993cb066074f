"""`itnio-nb ledger login` and `logout`: a server's password in the keyring, and what uses it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result

from itnio_nb import Ledger, LedgerError
from itnio_nb.cli.main import main
from tests.support.cluster import running
from tests.support.keyrings import SECRET_IN_WORDS

PASSWORD = "pässword with 'quotes' & %41"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="a server of its own")


@pytest.fixture(scope="module")
def asking() -> Iterator[str]:
    """The address of a database whose server asks the user anna for her password (SCRAM)."""
    with running() as made:
        made.sql(f"CREATE ROLE anna LOGIN SUPERUSER PASSWORD $${PASSWORD}$$")
        made.sql("CREATE DATABASE secret")
        yield made.url("anna", "secret")


@pytest.fixture(autouse=True)
def keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of a keyring that works."""
    use_keyring(monkeypatch, "FileKeyring")
    monkeypatch.setenv("ITNIO_TEST_KEYRING", str(tmp_path / "keyring.json"))
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "no-pgpass"))
    monkeypatch.delenv("PGPASSWORD", raising=False)
    return tmp_path / "keyring.json"


def use_keyring(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    import keyring
    from keyring.core import load_keyring

    monkeypatch.setattr(keyring.core, "_keyring_backend", load_keyring(f"tests.support.keyrings.{name}"))


def invoke(*words: str, line: str = "") -> Result:
    done = CliRunner().invoke(main, ["ledger", *words], input=line)
    assert PASSWORD not in done.output
    return done


def test_a_kept_password_opens_the_ledger(asking: str, keyring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing else has one; then it is forgotten again. URL, environment and .pgpass go before it."""
    with pytest.raises(LedgerError, match=r"asks for a password.* itnio-nb ledger login postgresql://anna@127"):
        Ledger(asking)
    done = invoke("login", asking, line=f"{PASSWORD}\n")
    assert (done.exit_code, done.output.endswith(f"the password of {asking}. The server accepts it.\n")) == (0, True)
    assert "itnio-nb/postgresql://anna@" in keyring.read_text()
    with Ledger(asking) as ledger:
        assert ledger.table.empty
        assert "anna" not in repr(ledger)
    port = urlsplit(asking).port
    for wrong in (f"postgresql://anna:wrong@127.0.0.1:{port}/secret", asking):
        monkeypatch.setenv("PGPASSWORD", "wrong")
        with pytest.raises(LedgerError, match="password authentication failed"):
            Ledger(wrong)
    monkeypatch.delenv("PGPASSWORD")
    keyring.rename(keyring.with_name("away"))
    pgpass = Path(os.environ["PGPASSFILE"])
    pgpass.write_text(f"127.0.0.1:{port}:*:anna:{PASSWORD}\n", encoding="utf-8")
    pgpass.chmod(0o600)
    Ledger(asking).close()
    pgpass.unlink()
    keyring.with_name("away").rename(keyring)
    assert invoke("logout", asking).output == f"The password of {asking} is deleted from the keyring.\n"
    assert "nothing was deleted" in invoke("logout", asking).output
    with pytest.raises(LedgerError, match="The keyring has none either"):
        Ledger(asking)


def test_nothing_is_kept_that_does_not_work(asking: str, keyring: Path) -> None:
    """A wrong password, none, one in the URL, a file, another user; with --no-check it is kept all the same."""
    cases = {
        ("login", asking): ("wrong\n", "Nothing was kept: "),
        ("login", asking, "--no-check"): ("\n", "There is no password"),
        ("login", asking.replace("anna@", f"anna:{SECRET_IN_WORDS}@")): ("a\n", "Leave the password out of the URL"),
        ("login", "ledger.sqlite"): ("a\n", "A ledger in a file has no password"),
        ("login", asking.replace("anna", "bob")): (f"{PASSWORD}\n", "Nothing was kept: "),
    }
    for words, (line, message) in cases.items():
        done = invoke(*words, line=line)
        assert (done.exit_code, message in done.output) == (1, True), done.output
        assert SECRET_IN_WORDS not in done.output
    assert not keyring.exists()
    done = invoke("login", asking, "--no-check", line="wrong\n")
    assert (done.exit_code, "It was not tried." in done.output) == (0, True)
    with pytest.raises(LedgerError, match="password authentication failed"):
        Ledger(asking)


@pytest.mark.parametrize("name", ["LockedKeyring", "OddKeyring", "ForgetfulKeyring", "FullKeyring"])
def test_a_keyring_that_fails(asking: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """In words, and with what to do instead; nothing of the entry is told."""
    use_keyring(monkeypatch, name)
    done = invoke("login", asking, line=f"{PASSWORD}\n")
    assert (done.exit_code, "PGPASSWORD" in done.output, SECRET_IN_WORDS in done.output) == (1, True, False)
    with pytest.raises(LedgerError, match="PGPASSWORD") as error:
        Ledger(asking)
    assert SECRET_IN_WORDS not in str(error.value)


def test_a_server_that_asks_for_none() -> None:
    """It is kept, and that is said."""
    with running() as cluster:
        done = invoke("login", cluster.url(), line=f"{PASSWORD}\n")
    assert (done.exit_code, done.output.endswith("The server did not ask for it.\n")) == (0, True), done.output
