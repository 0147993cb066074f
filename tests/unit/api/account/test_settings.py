"""Where the account is read from: one source, and no file that somebody else could have written."""

from __future__ import annotations

import os
import subprocess
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from itnio_nb import Account, AccountError, AccountWarning, open_workspace
from itnio_nb.api.account import settings
from itnio_nb.api.account.settings import given_sources
from tests.support.required import lacking

CANARY = "s3cr3t-canary"
WHOLE = "ITNIO_API_KEY=from-file\nITNIO_API_SECRET=file-secret\n"
ADDRESS = "ITNIO_BASE_URL=https://evil.example/voice\n"
ENVIRONMENT = {"ITNIO_API_KEY": "from-environment", "ITNIO_API_SECRET": "secret"}
VENDOR = "https://api.itniotech.com/voice"
OTHER = 12_345  # the number of a user and a group that nobody has
DAEMON, USERS = 1, 100  # a user and a group of every Debian


@dataclass(frozen=True)
class Case:
    """An arrangement: the environment, `.env` files by their folder, who owns what; and what comes of it."""

    expected: str  # the key and address that are taken, or the words of the refusal; "sandbox"
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    mode: int = 0o600
    owners: dict[str, tuple[int, int]] = field(default_factory=dict)
    folder: str = "home/project/notebooks"
    warned: str = ""


HERE, ABOVE, HOME, OVER = "home/project/notebooks", "home/project", "home", ""
FILE = f"{HERE}/.env"
TAKEN = f"from-file {VENDOR}"
CASES = {
    # One source.
    "nothing": Case("sandbox"),
    "environment": Case(f"from-environment {VENDOR}", ENVIRONMENT),
    "environment with an address": Case(
        "from-environment https://x.example", ENVIRONMENT | {"ITNIO_BASE_URL": "https://x.example"}),
    "environment, and a file": Case(f"from-environment {VENDOR}", ENVIRONMENT, {HERE: WHOLE}),
    "environment, and an address of somebody else": Case(f"from-environment {VENDOR}", ENVIRONMENT, {HERE: ADDRESS}),
    "environment, and a file of another user": Case(
        f"from-environment {VENDOR}", ENVIRONMENT, {HERE: WHOLE}, owners={FILE: (OTHER, OTHER)}),
    "a file": Case(TAKEN, {}, {HERE: WHOLE}),
    "a file with an address": Case("from-file https://evil.example/voice", {}, {HERE: WHOLE + ADDRESS}),
    "a file with a mark in front": Case(TAKEN, {}, {HERE: "\ufeff" + WHOLE}),
    "a file above": Case(TAKEN, {}, {ABOVE: WHOLE}),
    "a file at home": Case(TAKEN, {}, {HOME: WHOLE}),
    "a file above home": Case("sandbox", {}, {OVER: WHOLE}),
    "a file here and one above": Case(TAKEN, {}, {HERE: WHOLE, ABOVE: WHOLE.replace("from-file", "above")}),
    "half a file here, half above": Case(
        "ITNIO_API_SECRET is not set in ", {}, {HERE: WHOLE.split("\n")[0], ABOVE: WHOLE}),
    "a file of another program here, ours above": Case("sandbox", {}, {HERE: "PATH=x\n", ABOVE: WHOLE}),
    "key in the environment, secret in the file": Case(
        "ITNIO_API_SECRET is not set in the environment", {"ITNIO_API_KEY": "k"}, {HERE: WHOLE}),
    "secret in the environment, key in the file": Case(
        "ITNIO_API_KEY is not set in the environment", {"ITNIO_API_SECRET": CANARY}, {HERE: WHOLE}),
    "address in the environment, the rest in the file": Case(
        "ITNIO_API_KEY and ITNIO_API_SECRET are not set in the environment", {"ITNIO_BASE_URL": VENDOR}, {HERE: WHOLE}),
    "address alone in a file": Case("ITNIO_API_KEY and ITNIO_API_SECRET are not set in ", {}, {HERE: ADDRESS}),
    "key alone in a file": Case("ITNIO_API_SECRET is not set in ", {}, {HERE: "ITNIO_API_KEY=k\n"}),
    "empty in the environment": Case(TAKEN, dict.fromkeys(ENVIRONMENT, ""), {HERE: WHOLE}),
    "empty in the file": Case("sandbox", {}, {HERE: "ITNIO_API_KEY=\nITNIO_API_SECRET\n"}),
    "an odd address in the environment": Case("must not carry a user", ENVIRONMENT | {"ITNIO_BASE_URL": "https://a@b"}),
    # Owners.
    "of another user": Case("belongs to another user (12345)", {}, {HERE: WHOLE}, owners={FILE: (OTHER, OTHER)}),
    "of a user with a name": Case(
        "belongs to another user (daemon)", {}, {HERE: WHOLE}, owners={FILE: (DAEMON, DAEMON)}),
    "of another user, above": Case(
        "belongs to another user", {}, {ABOVE: WHOLE}, owners={f"{ABOVE}/.env": (OTHER, OTHER)}),
    "of another user, with an address alone": Case(
        "belongs to another user", {}, {HERE: ADDRESS}, owners={FILE: (OTHER, OTHER)}),
    "of another user, with nothing of ours": Case("sandbox", {}, {HERE: "PATH=x\n"}, owners={FILE: (OTHER, OTHER)}),
    "mine, in a folder of another": Case(TAKEN, {}, {HERE: WHOLE}, owners={HERE: (OTHER, OTHER)}),
    "mine, above a folder of another": Case("sandbox", {}, {ABOVE: WHOLE}, owners={HERE: (OTHER, OTHER)}),
    "mine, in a folder of another, above": Case("sandbox", {}, {ABOVE: WHOLE}, owners={ABOVE: (OTHER, OTHER)}),
    "mine, beyond a folder of another": Case("sandbox", {}, {HOME: WHOLE}, owners={ABOVE: (OTHER, OTHER)}),
    # Modes.
    "read by me alone": Case(TAKEN, {}, {HERE: WHOLE}, 0o400),
    "written by all": Case("everybody on this machine can write it", {}, {HERE: WHOLE}, 0o666),
    "written by all, not read": Case("everybody on this machine can write it", {}, {HERE: WHOLE}, 0o602),
    "written by all, with an address alone": Case("everybody on this machine can write it", {}, {HERE: ADDRESS}, 0o622),
    "written by my group": Case(TAKEN, {}, {HERE: WHOLE}, 0o660),
    "written by another group": Case("its group can write it", {}, {HERE: WHOLE}, 0o660, {FILE: (0, USERS)}),
    "written by a group without a name": Case("its group can write it", {}, {HERE: WHOLE}, 0o620, {FILE: (0, OTHER)}),
    "another group that cannot": Case(TAKEN, {}, {HERE: WHOLE}, 0o600, {FILE: (0, USERS)}),
    "read by all": Case(TAKEN, {}, {HERE: WHOLE}, 0o644, warned="everybody on this machine can read it: chmod 600"),
    "read by another group": Case(TAKEN, {}, {HERE: WHOLE}, 0o640, {FILE: (0, USERS)}, warned="its group can read it"),
    "read by my group": Case(TAKEN, {}, {HERE: WHOLE}, 0o640),
    "read by all, above": Case(TAKEN, {}, {ABOVE: WHOLE}, 0o604, warned="can read it"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_arrangements(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which source is taken, which refused and with which words, which warned of."""
    case = CASES[name]
    if case.owners and os.geteuid() != 0:
        lacking("only root can give files to others")
    (tmp_path / HERE).mkdir(parents=True)
    for folder, text in case.files.items():
        path = tmp_path / folder / ".env"
        path.write_text(text, encoding="utf-8")
        path.chmod(case.mode)
    for place, (user, group) in case.owners.items():
        os.chown(tmp_path / place, user, group)
    monkeypatch.setenv("HOME", str(tmp_path / HOME))
    monkeypatch.chdir(tmp_path / case.folder)
    for variable, value in case.environment.items():
        monkeypatch.setenv(variable, value)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")  # once for each text, as without this filter
        came = outcome()
    if case.expected in ("sandbox", TAKEN) or case.expected.startswith("from-"):
        assert came == case.expected
    else:
        assert case.expected in came
    assert CANARY not in came
    if came.startswith("from-"):
        first = given_sources()[0]
        assert (first == "the environment") == came.startswith("from-environment")
        assert first in ("the environment", *(str(tmp_path / folder / ".env") for folder in case.files))
    assert [case.warned in str(one.message) for one in warned] == [True] * bool(case.warned)


def outcome() -> str:
    """The key and address that are taken, the words of a refusal, or "sandbox"."""
    try:
        if not Account.is_configured():
            return "sandbox"
        account = Account.from_env()
    except AccountError as error:
        return str(error) if error.__context__ is None else "its cause has the text of the file"
    return f"{account.api_key} {account.base_url}"


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


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Other encodings, far too large; the error holds nothing of its text."""
    contents = {
        "it is not UTF-8 text": [
            "ITNIO_API_SECRET=s3crét".encode("latin-1"),
            "ITNIO_API_SECRET=canary".encode("utf-16"),
        ],
        "it has more than 1 MiB": [b"ITNIO_API_SECRET=" + b"x" * (1 << 20)],
    }
    for reason, texts in contents.items():
        for data in texts:
            (tmp_path / ".env").write_bytes(data)
            with pytest.raises(AccountError, match=rf"\.env cannot be read \({reason}\): mend or delete it") as raised:
                Account.from_env()
            assert raised.value.__context__ is None


def test_a_file_is_taken_literally(tmp_path: Path) -> None:
    """A secret may hold a dollar sign; another folder than the current one can be asked for."""
    (tmp_path / ".env").write_text("ITNIO_API_KEY=key\nITNIO_API_SECRET='a${HOME}b'\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    assert Account.from_env().api_secret.reveal() == "a${HOME}b"
    (tmp_path / "other").mkdir()
    assert Account.from_env(tmp_path / "other").api_key == "key"
    assert Account.is_configured(tmp_path / "other")


def test_a_file_of_others_gets_no_signature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.env` with an address alone, in a folder that was unpacked: it is the environment's account that is open."""
    (tmp_path / ".env").write_text("ITNIO_BASE_URL=http://127.0.0.1:9/voice\n", encoding="utf-8")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with open_workspace() as ws:
        assert ws.client.account.base_url == VENDOR
        assert repr(ws).startswith("LIVE ACCOUNT …ment at https://api.itniotech.com/voice.")


def git(*words: str, folder: Path) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("ignored", "place", "is_warned"),
    [
        ((), "", True),
        ((".env",), "", False),
        (("*.env",), "", False),
        ((".env",), "deep/er", False),
        ((), "deep/er", True),
        (("/other",), "", True),
    ],
)
def test_a_file_that_git_would_take(ignored: Sequence[str], place: str, is_warned: bool, tmp_path: Path) -> None:
    """In a work tree that does not ignore it: one `git add .` publishes the secret."""
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    git("init", "-q", folder=tmp_path)
    (tmp_path / ".gitignore").write_text("\n".join(ignored), encoding="utf-8")
    (folder / ".env").write_text(WHOLE, encoding="utf-8")
    (folder / ".env").chmod(0o600)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert Account.from_env(folder).api_key == "from-file"
    assert ["git would take it into a repository" in str(one.message) for one in warned] == [True] * is_warned


def test_a_repository_runs_no_program_of_its_own(tmp_path: Path) -> None:
    """Asking git what it ignores is no way to be attacked by the folder of somebody else."""
    git("init", "-q", folder=tmp_path)
    git("config", "core.fsmonitor", f"touch {tmp_path}/ran; false", folder=tmp_path)
    (tmp_path / ".env").write_text(WHOLE, encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    with pytest.warns(AccountWarning, match="git would take it"):
        Account.from_env()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["vfat", "9p", "fuseblk", "ext4"])
def test_a_disk_without_modes(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory stick, a folder of Windows: all files look as if everybody could write them."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\n/dev/b {tmp_path} {kind} rw 0 0\n", encoding="utf-8")
    monkeypatch.setattr(settings, "_MOUNTS", mounts)
    (tmp_path / ".env").write_text(WHOLE, encoding="utf-8")
    (tmp_path / ".env").chmod(0o777)
    if kind == "ext4":
        with pytest.raises(AccountError, match="everybody on this machine can write it"):
            Account.from_env()
    else:
        with pytest.warns(AccountWarning, match="on a file system without owners and modes"):
            assert Account.from_env().api_key == "from-file"
