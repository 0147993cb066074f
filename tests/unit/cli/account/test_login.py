"""`itnio-nb login` and `logout`: an account goes into the keyring, is tried, and is told where it is used."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from itnio_nb import Account, Sandbox
from itnio_nb.api.account.profiles import known_profiles, read_profile
from itnio_nb.cli.main import main
from tests.support.factories import NOWHERE

SECRET = "s3cr3t-canary"


@pytest.fixture(autouse=True)
def keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Have a keyring loaded: one that works, until another is named."""
    monkeypatch.setenv("ITNIO_TEST_KEYRING", str(tmp_path / "entries.json"))

    def load(name: str) -> None:
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", name)
        monkeypatch.setattr("keyring.core._keyring_backend", None)

    load("tests.support.keyrings.FileKeyring")
    return load


def login(*words: str, secret: str | bytes = f"{SECRET}\n") -> Result:
    """Run the command without a terminal, the secret on standard input: it is never shown."""
    done = CliRunner().invoke(main, ["login", *words], input=secret)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert SECRET not in done.output
    return done


def logout(*words: str) -> Result:
    return CliRunner().invoke(main, ["logout", *words])


@pytest.fixture
def words(sandbox: Sandbox) -> list[str]:
    """The options of a login at a sandbox that accepts `SECRET`."""
    sandbox.add_account("sandbox-own", SECRET)
    return ["--api-key", "sandbox-own", "--base-url", sandbox.base_url]


def test_in_and_out(sandbox: Sandbox, words: list[str], tmp_path: Path) -> None:
    """It is tried without creating anything, kept whole, used here, and gone."""
    done = login(*words)
    assert done.exit_code == 0
    assert done.stdout == (
        "Kept in the keyring (tests.support.keyrings.FileKeyring) as profile default: "
        f"API key …-own at {sandbox.base_url}. The server accepts it.\n"
        "In this folder the account comes from the keyring's profile default.\n"
    )
    assert [endpoint for endpoint, _ in sandbox.served] == ["sipQuery"]
    assert Account.from_env() == Account("sandbox-own", SECRET, sandbox.base_url)
    assert list(json.loads((tmp_path / "entries.json").read_text())) == ["itnio-nb/default"]
    for said in ("Profile default is deleted from the keyring.", "The keyring has no profile default: nothing was del"):
        done = logout()
        assert (done.exit_code, done.stdout.startswith(said)) == (0, True)
        assert done.stdout.endswith("In this folder no account is configured: what you start works on a sandbox.\n")
    assert not Account.is_configured()


@pytest.mark.parametrize(
    "typed", [f"  {SECRET} \r\n", SECRET, f"\ufeff{SECRET}\n", f"{SECRET}\nanother line\n"], ids=repr
)
def test_what_stands_around_a_secret(typed: str, words: list[str]) -> None:
    """Blanks, marks of Windows, no line break, more lines."""
    assert "The server accepts it." in login(*words, secret=typed).stdout


@pytest.mark.parametrize(
    ("options", "typed", "said"),
    [
        (["--api-key", "k"], "", "There is no secret: type it, or give it as the first line of standard input"),
        (["--api-key", "k"], "\n\n", "There is no secret"),
        (["--api-key", "k"], b"s3cr\xe9t\n", "not UTF-8 text"),
        (["--api-key", "k"], "s3c\x07r3t\n", "has blanks around it or characters that no secret has: copy it again"),
        (["--api-key", "k\u00e9y"], "x\n", "characters that no key has"),
        ([], "x\n", "There is no terminal to ask at: give --api-key, and the secret as a line of standard input"),
        (["--api-key", "k", "--base-url", "ftp://x"], "x\n", "Write it like https://api.itniotech.com/voice"),
        (["--api-key", "k", "--base-url", "http://api.example/voice"], "x\n", "use https"),
        (["--api-key", "k", "--profile", "a b"], "x\n", "letters, digits, - _ and ."),
        (["--api-key", "k", "--no-check"], "x" * 5000, "too long for a keyring"),
    ],
    ids=str,
)
def test_what_is_no_account_is_not_kept(options: list[str], typed: str | bytes, said: str, tmp_path: Path) -> None:
    """In one line, that says why."""
    done = login(*options, secret=typed)
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert said in done.output
    assert not (tmp_path / "entries.json").exists()


def test_what_the_server_refuses_is_not_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    """Key or secret are wrong: nothing that waiting would mend. Unless nobody asks."""
    wrong = ["--api-key", sandbox.account.api_key, "--base-url", sandbox.base_url]
    done = login(*wrong)
    assert (done.exit_code, done.output) == (
        1,
        "Error: Nothing was kept: the server refuses key or secret (status -1).\n",
    )
    assert not (tmp_path / "entries.json").exists()
    done = login(*wrong, "--no-check")
    assert done.exit_code == 0
    assert " It was not tried.\n" in done.stdout
    assert Account.from_env().api_secret.reveal() == SECRET


def test_what_could_not_be_tried_is_kept(sandbox: Sandbox, words: list[str]) -> None:
    """Not from this address, not at this time, not this server: it may be right, and that is all that is said."""
    sandbox.allowed_addresses = ["192.0.2.1"]
    refused = login(*words)
    dead = login(*words[:2], "--base-url", NOWHERE, "--replace")
    for done, why in ((refused, "Add the address in the ITNIO console"), (dead, "connection refused")):
        assert done.exit_code == 0
        assert "Whether the server accepts it is not known: " in done.stdout
        assert why in done.stdout
        assert "The server accepts it" not in done.stdout
    kept = read_profile("default")
    assert kept is not None
    assert kept.base_url == NOWHERE


def test_another_account_is_not_replaced_unasked(words: list[str], sandbox: Sandbox) -> None:
    """Its key or its address differs; a new secret of the same key is what logging in again is for."""
    login(*words)
    assert login(*words).exit_code == 0
    for other in (["--api-key", "sandbox-new", *words[2:]], [*words[:2], "--base-url", NOWHERE]):
        done = login(*other, "--no-check")
        assert done.exit_code == 1
        assert f"Profile default has API key …-own at {sandbox.base_url} now: give --replace" in done.output
    assert Account.from_env().api_key == "sandbox-own"
    assert login("--api-key", "sandbox-new", *words[2:], "--no-check", "--replace").exit_code == 0
    assert Account.from_env().api_key == "sandbox-new"


def test_an_entry_of_somebody_else_is_replaced_when_asked(words: list[str], tmp_path: Path) -> None:
    """Never before."""
    (tmp_path / "entries.json").write_text('{"itnio-nb/default": "of another program"}')
    done = login(*words)
    assert done.exit_code == 1
    assert "none that this itnio-nb has written" in done.output
    assert login(*words, "--replace").exit_code == 0


def test_which_source_counts_is_told(words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another profile, or one that a source stands above, is used by its name."""
    by_name = "The profile is used with --profile {0}, or ITNIO_PROFILE={0}.\n"
    done = login(*words, "--profile", "work")
    assert done.stdout.endswith(
        "no account is configured: what you start works on a sandbox.\n" + by_name.format("work")
    )
    (tmp_path / ".env").write_text("ITNIO_API_KEY=k\n")
    (tmp_path / ".env").chmod(0o600)
    assert f"In this folder: ITNIO_API_SECRET is not set in {tmp_path / '.env'}" in login(*words).stdout
    monkeypatch.setenv("ITNIO_API_KEY", "k")
    monkeypatch.setenv("ITNIO_API_SECRET", "s")
    done = login(*words)
    assert done.stdout.endswith("the account comes from the environment.\n" + by_name.format("default"))
    monkeypatch.setenv("ITNIO_SANDBOX", "1")
    assert login(*words).stdout.endswith("ITNIO_SANDBOX is set: whatever you start works on a sandbox.\n")
    assert "the account comes from the environment" in logout().stdout
    assert known_profiles() == ["work"]


def test_the_profile_of_the_environment(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Is the one that is meant."""
    monkeypatch.setenv("ITNIO_PROFILE", "work")
    assert "the account comes from the keyring's profile work" in login(*words).stdout
    assert known_profiles() == ["work"]
    done = logout()
    assert done.exit_code == 0
    assert "In this folder: The keyring has no profile work (it has: none)" in done.stdout


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("keyring.backends.fail.Keyring", "this machine has none, as servers and containers have not."),
        ("keyring.backends.null.Keyring", "this machine has none"),
        ("tests.support.keyrings.LockedKeyring", "it is locked: unlock it and try again"),
        ("tests.support.keyrings.FullKeyring", "it refused to keep the entry"),
        ("", 'its package is not installed (pip install "itnio-nb[keyring]")'),
    ],
)
def test_without_a_keyring(
    backend: str, said: str, keyring: Callable[[str], None], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, with the next source."""
    keyring(backend)
    if not backend:
        monkeypatch.setitem(sys.modules, "keyring", None)
    done = login(*words)
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: The keyring cannot be used: {said}")
    assert "Set ITNIO_API_KEY and ITNIO_API_SECRET in the environment, or in a file .env with mode 600." in done.output
    assert not Account.is_configured()


def test_logout_where_the_keyring_is_gone(keyring: Callable[[str], None], words: list[str]) -> None:
    """The account that nobody can read any more is no longer asked for; what may be left of it is told."""
    login(*words)
    keyring("keyring.backends.fail.Keyring")
    done = logout()
    assert done.exit_code == 1
    assert "Nothing was deleted from it. The profile default is forgotten here" in done.output
    assert not Account.is_configured()
