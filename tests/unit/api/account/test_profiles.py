"""Accounts in a keyring: kept, read, deleted; and keyrings of every kind of which none is there, or none works."""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import pytest
from keyring.backends import chainer

from itnio_nb import Account, AccountError, AccountWarning, open_workspace
from itnio_nb.api.account import profiles
from itnio_nb.api.account.profiles import (
    NoKeyringError,
    Profile,
    delete_profile,
    keeps_plain_text,
    keyring_name,
    known_profiles,
    read_profile,
    write_profile,
)
from itnio_nb.api.account.secret import Secret
from itnio_nb.api.account.settings import given_sources
from tests.support.keyrings import SECRET_IN_WORDS, FileKeyring, PlaintextKeyring

CANARY = "s3cr3t-canary"
VENDOR = "https://api.itniotech.com/voice"
WORK = Profile("key-of-work", Secret(CANARY), VENDOR)
OWN = "tests.support.keyrings."
NONE = "this machine has none, as servers and containers have not"


def use(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this keyring loaded, as a new process would."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    monkeypatch.setattr("keyring.core._keyring_backend", None)


def with_variables(error: BaseException) -> str:
    """A traceback with the variables of all frames but the test's own."""
    assert error.__traceback__ is not None
    own = error.with_traceback(error.__traceback__.tb_next)
    return "".join(traceback.TracebackException.from_exception(own, capture_locals=True).format())


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a keyring that works."""
    monkeypatch.setenv("ITNIO_TEST_KEYRING", str(tmp_path / "entries.json"))
    use(f"{OWN}FileKeyring", monkeypatch)
    return tmp_path / "entries.json"


def test_kept_read_deleted(entries: Path) -> None:
    """By its name, beside others; the list of names has nothing else, and is its owner's alone."""
    assert (read_profile("work"), known_profiles()) == (None, [])
    write_profile("work", WORK)
    write_profile("default", Profile("other", Secret("x"), "https://x.example"))
    write_profile("work", WORK._replace(base_url="https://new.example"))
    assert read_profile("work") == Profile("key-of-work", Secret(CANARY), "https://new.example")
    assert known_profiles() == ["default", "work"]
    names = Path("data-home/itnio-nb/profiles.json")
    assert (json.loads(names.read_text()), names.stat().st_mode & 0o777) == (["default", "work"], 0o600)
    assert [path.name for path in names.parent.iterdir()] == ["profiles.json"]
    assert delete_profile("work")
    assert not delete_profile("work")
    assert (read_profile("work"), known_profiles(), list(json.loads(entries.read_text()))) == (
        None,
        ["default"],
        ["itnio-nb/default"],
    )


@pytest.mark.parametrize("name", ["", "-x", ".x", "a b", "a/b", "ä", "a\n", "x" * 65, "../x"])
def test_names_that_are_none(name: str, entries: Path) -> None:
    """Before the keyring is asked."""
    for action in (read_profile, delete_profile):
        with pytest.raises(AccountError, match="letters, digits, - _ and"):
            action(name)
    assert not entries.exists()


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("keyring.backends.fail.Keyring", NONE),
        ("keyring.backends.null.Keyring", NONE),
        (f"{OWN}LockedKeyring", "it is locked: unlock it and try again"),
        (f"{OWN}UnreadyKeyring", "it failed (InitError)"),
        (f"{OWN}OddKeyring", "it failed (OSError)"),
        (f"{OWN}ExitingKeyring", "it failed (SystemExit)"),
        (f"{OWN}SilentKeyring", "it does not answer within 0 seconds: unlock it and try again"),
        (f"{OWN}NotThere", "its back end cannot be loaded (AttributeError; PYTHON_KEYRING_BACKEND"),
        ("nonsense.Keyring", "its back end cannot be loaded (ModuleNotFoundError; PYTHON_KEYRING_BACKEND"),
        ("", "its package is not installed (pip install"),
    ],
)
def test_keyrings_that_do_not_work(backend: str, words: str, entries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One kind of error, in our words, with the next source; nothing of what the back end has said."""
    use(backend, monkeypatch)
    monkeypatch.setattr(profiles, "_PATIENCE", 0.3)
    if not backend:
        monkeypatch.setitem(sys.modules, "keyring", None)
    for action in (lambda: read_profile("work"), lambda: write_profile("work", WORK), lambda: delete_profile("work")):
        with pytest.raises(NoKeyringError) as refused:
            action()
        assert str(refused.value).startswith(f"The keyring cannot be used: {words}")
        assert "Set ITNIO_API_KEY and ITNIO_API_SECRET in the environment, or in a file .env" in str(refused.value)
        shown = with_variables(refused.value)
        assert SECRET_IN_WORDS not in shown
        assert CANARY not in shown
    assert known_profiles() == []


@pytest.mark.parametrize(
    ("backend", "words"),
    [("ForgetfulKeyring", "does not keep what it is given"), ("FullKeyring", "it refused to keep the entry")],
)
def test_what_is_not_kept_is_told(backend: str, words: str, entries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is no profile."""
    use(OWN + backend, monkeypatch)
    with pytest.raises(NoKeyringError, match=words):
        write_profile("work", WORK)
    assert known_profiles() == []


def test_what_is_not_deleted_is_told(entries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is forgotten: nothing is read of it unasked."""
    write_profile("default", WORK)
    use(f"{OWN}KeepingKeyring", monkeypatch)
    with pytest.raises(NoKeyringError, match="it refused to delete the entry"):
        delete_profile("default")
    assert known_profiles() == []
    assert not Account.is_configured()


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "x",
        "[]",
        "null",
        "[" * 100_000,
        '{"version": 1}',
        '{"version": 2, "key": "k", "secret": "s", "base_url": "https://x.example"}',
        '{"version": 1, "key": "", "secret": "s", "base_url": "https://x.example"}',
        '{"version": 1, "key": "k", "secret": ["s3cr3t-canary"], "base_url": "https://x.example"}',
        17,
        ["s3cr3t-canary"],
        {"key": "s3cr3t-canary"},
    ],
    ids=lambda kept: str(kept)[:40],
)
def test_entries_that_are_not_ours(kept: object, entries: Path) -> None:
    """Another program's, a later version's, what is no text: said, with the commands that mend it."""
    entries.write_text(json.dumps({"itnio-nb/work": kept}))
    with pytest.raises(AccountError, match="itnio-nb logout --profile work, then itnio-nb login --profile") as refused:
        Account.from_env(profile="work")
    assert CANARY not in with_variables(refused.value)
    with pytest.raises(AccountError) as refused:
        read_profile("work")
    assert CANARY not in with_variables(refused.value)
    assert delete_profile("work")


def test_too_long_for_windows(entries: Path) -> None:
    """Its Credential Manager has 2,560 bytes for an entry."""
    with pytest.raises(AccountError, match="too long for a keyring"):
        write_profile("work", WORK._replace(secret=Secret("ä" * 200)))
    assert not entries.exists()


def test_which_keyring(entries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own name; one that encrypts nothing, and the first of several that stand in a chain."""
    assert (keyring_name(), keeps_plain_text(keyring_name())) == (f"{OWN}FileKeyring", False)
    use(f"{OWN}PlaintextKeyring", monkeypatch)
    assert keeps_plain_text(keyring_name())
    kinds: list[Any] = [FileKeyring, PlaintextKeyring]
    chain: Any = chainer.ChainerBackend
    for order, is_plain in ((kinds, False), (kinds[::-1], True)):
        monkeypatch.setattr(chain, "backends", [kind() for kind in order])
        monkeypatch.setattr("keyring.core._keyring_backend", chain())
        assert keeps_plain_text(keyring_name()) is is_plain


# Which source counts: the keyring among the others.
PROFILE = {"ITNIO_PROFILE": "work"}
ENVIRONMENT = {"ITNIO_API_KEY": "from-environment", "ITNIO_API_SECRET": "secret"}
WHOLE = "ITNIO_API_KEY=from-file\nITNIO_API_SECRET=file-secret\n"
NEITHER = (
    "The keyring has no profile ghost (it has: default, work). Keep the account there: itnio-nb login --profile ghost"
)
ARRANGEMENTS = {
    "the default profile": ({}, "", "", "key-of-default", ""),
    "the environment before it": (ENVIRONMENT, "", "", "from-environment", ""),
    "a file before it": ({}, WHOLE, "", "from-file", ""),
    "half a file before it": ({}, "ITNIO_API_KEY=k\n", "", "ITNIO_API_SECRET is not set in ", ""),
    "asked for in the environment": (PROFILE, "", "", "key-of-work", ""),
    "asked for in the environment, a file": (PROFILE, WHOLE, "", "key-of-work", ""),
    "asked for beside a key": (PROFILE | ENVIRONMENT, "", "", "key-of-work", "ITNIO_API_SECRET in the environment not"),
    "asked for in the file": ({}, "ITNIO_PROFILE=work\n", "", "key-of-work", ""),
    "asked for in the file beside a key": ({}, f"{WHOLE}ITNIO_PROFILE=work\n", "", "key-of-work", ".env not: take out"),
    "asked for in the file, a key in the environment": (
        ENVIRONMENT, "ITNIO_PROFILE=work\n", "", "from-environment", ""),
    "empty": ({"ITNIO_PROFILE": ""}, "", "", "key-of-default", ""),
    "empty, a file": ({"ITNIO_PROFILE": ""}, WHOLE, "", "from-file", ""),
    "asked for by the program": (ENVIRONMENT, WHOLE, "work", "key-of-work", ""),
    "asked for by the program, another by the environment": (PROFILE, "", "default", "key-of-default", ""),
    "not there": ({"ITNIO_PROFILE": "ghost"}, WHOLE, "", NEITHER, ""),
    "not there, asked for by the program": (ENVIRONMENT, "", "ghost", NEITHER, ""),
    "no name": ({"ITNIO_PROFILE": "a b"}, "", "", "The name of a profile has letters", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_arrangements(name: str, entries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which source is taken and named, and which stand behind it; never two."""
    environment, text, asked, expected, warned = ARRANGEMENTS[name]
    for profile in ("default", "work"):
        write_profile(profile, Profile(f"key-of-{profile}", Secret(CANARY), VENDOR))
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    (tmp_path / ".env").write_text(text)
    (tmp_path / ".env").chmod(0o600)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if " " in expected:
            with pytest.raises(AccountError) as refused:
                Account.from_env(profile=asked or None)
            assert str(refused.value).startswith(expected)
            assert CANARY not in str(refused.value)
            return
        account = Account.from_env(profile=asked or None)
    assert account.api_key == expected
    assert [warned in str(one.message) and one.category is AccountWarning for one in told] == [True] * bool(warned)
    source = {"from-environment": "the environment", "from-file": str(tmp_path / ".env")}
    assert account.source == source.get(expected, f"the keyring's profile {expected.removeprefix('key-of-')}")
    assert asked or given_sources()[0] == account.source
    assert repr(account) == f"Account(api_key={expected!r}, api_secret=********, base_url={VENDOR!r})"


def test_a_file_that_names_a_profile_is_looked_at_too(entries: Path, tmp_path: Path) -> None:
    """Who can write it chooses the account; who reads it learns no secret."""
    write_profile("work", WORK)
    (tmp_path / ".env").write_text("ITNIO_PROFILE=work\n")
    (tmp_path / ".env").chmod(0o644)
    assert Account.from_env().api_key == "key-of-work"
    (tmp_path / ".env").chmod(0o666)
    with pytest.raises(AccountError, match="everybody on this machine can write it"):
        Account.from_env()


def test_the_keyring_is_asked_last(entries: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Never where another source says anything, nor before anybody has logged in: it may open a window."""
    use(f"{OWN}LockedKeyring", monkeypatch)
    assert not Account.is_configured()
    with open_workspace() as ws:
        assert ws.is_sandbox
    (tmp_path / "data-home" / "itnio-nb").mkdir(parents=True)
    (tmp_path / "data-home" / "itnio-nb" / "profiles.json").write_text('["default"]')
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert Account.from_env().api_key == "from-environment"


def test_an_account_that_was_kept_is_no_sandbox_when_its_keyring_is_gone(
    entries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At night without a session its phones would be created on a stand-in, and told as done."""
    write_profile("default", WORK)
    use("keyring.backends.fail.Keyring", monkeypatch)
    assert Account.is_configured()
    with pytest.raises(AccountError, match=f"{NONE}.*take the profile default out: .*itnio-nb logout"):
        open_workspace()


def test_a_workspace_of_a_profile(entries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ITNIO_SANDBOX` goes before it; a sandbox that is asked for reads no profile."""
    write_profile("work", WORK)
    with open_workspace(profile="work") as ws:
        assert ws.client.account.source == "the keyring's profile work"
    monkeypatch.setenv("ITNIO_SANDBOX", "1")
    monkeypatch.setenv("ITNIO_PROFILE", "ghost")
    with open_workspace(profile="work") as ws:
        assert ws.client.account.source == "the sandbox"


@pytest.mark.parametrize("text", ["", "x", "{}", "[1, null]", '["a b", "../x"]', "[" * 100_000])
def test_a_damaged_list_of_names(text: str, entries: Path) -> None:
    """It is none; logging in writes it anew."""
    names = Path("data-home/itnio-nb/profiles.json")
    names.parent.mkdir(parents=True)
    names.write_text(text)
    assert known_profiles() == []
    write_profile("work", WORK)
    assert known_profiles() == ["work"]


def test_a_list_of_names_that_cannot_be_written(entries: Path) -> None:
    """Where it is, and what to do."""
    Path("data-home").write_text("a file in the way")
    with pytest.raises(AccountError, match=r"profiles\.json cannot be written \(.*\): mend its folder"):
        write_profile("work", WORK)


def test_equal_wherever_it_comes_from() -> None:
    """The source is no part of an account."""
    assert Account("k", "s", source="here") == Account("k", "s", source="there")
