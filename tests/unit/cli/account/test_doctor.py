"""`itnio-nb doctor` on set-ups that are broken, each in its own way: the row, its mend, and all the other checks."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from click.testing import CliRunner

from itnio_nb import Account, Client, Ledger, LedgerError, Sandbox, make_plan, submit_plan
from itnio_nb.api.account.profiles import Profile, write_profile
from itnio_nb.cli.main import main
from tests.support.factories import APP, NOWHERE, many_orders, sent, until
from tests.support.https import serving_https

SECRET = "s3cr3t-canary"
DAY = timedelta(days=1)
WRONG = ("error", "warning")


class Row(NamedTuple):
    result: str
    check: str
    text: str  # what was found and, behind an arrow, the advice


class Shown(NamedTuple):
    rows: list[Row]
    last: str
    code: int

    def wrong(self) -> dict[str, str]:
        """What is not right, but for what another error stands in the way of."""
        rows = [row for row in self.rows if row.result in WRONG and "; not tried" not in row.text]
        return {row.check: row.result for row in rows}

    def text(self, check: str, result: str = "") -> str:
        return " / ".join(row.text for row in self.rows if row.check == check and row.result in (result or row.result))


def doctor(*words: str) -> Shown:
    """Run the command to its end; whatever was wrong, the last check was made, and no secret is shown."""
    done = CliRunner().invoke(main, ["doctor", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert SECRET not in done.output
    table, _, end = done.stdout.partition("\nPython ")
    lines = re.sub(r"\n {33}", " ", table).splitlines()
    rows = [Row(line[:9].strip(), line[9:33].strip(), line[33:]) for line in lines]
    assert rows[0].check == "versions"
    assert rows[-1].check == "front ends"
    assert {"account", "address", "certificates", "clock", "ledger", "keyring"} <= {row.check for row in rows}
    shown = Shown(rows, end.splitlines()[-1], done.exit_code)
    assert shown.code == any(row.result == "error" for row in rows)
    return shown


@pytest.fixture(autouse=True)
def _a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the person's own `.env` would be, nothing is."""
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Callable[[Account], None]:
    """Have an account in the environment."""

    def configured(account: Account) -> None:
        monkeypatch.setenv("ITNIO_API_KEY", account.api_key)
        monkeypatch.setenv("ITNIO_API_SECRET", account.api_secret.reveal())
        monkeypatch.setenv("ITNIO_BASE_URL", account.base_url)

    return configured


def test_all_is_well(sandbox: Sandbox, configure: Callable[[Account], None]) -> None:
    """Each setting with its source; exit code 0; nothing was created."""
    configure(sandbox.account)
    shown = doctor("--app-id", APP)
    assert shown.wrong() == {}
    assert shown.last == "No error, no warning: nothing stands in the way of a batch."
    assert shown.text("API key") == f"…{sandbox.account.api_key[-4:]}, from the environment"
    assert shown.text("base address") == f"{sandbox.base_url}, from the environment"
    assert shown.text(f"application {APP}").startswith("0 phones in it")
    assert shown.text("ledger's address").endswith("default-ledger.sqlite, from ITNIO_LEDGER in the environment")
    assert shown.text("proxy") == "none (HTTPS_PROXY is not set)"
    assert "was not asked" not in shown.text("account")
    assert {endpoint for endpoint, _ in sandbox.served} == {"sipQuery"}
    assert not Path("results").exists()


def test_a_machine_without_an_account(tmp_path: Path) -> None:
    """The sandbox that it has; the command that configures one; what could not be tried is not ok."""
    shown = doctor()
    assert shown.wrong() == {"settings": "error"}
    assert "no account: what you start works on a sandbox → itnio-nb login, or ITNIO_API_KEY" in shown.text("settings")
    assert {row.result for row in shown.rows if row.check in ("account", "address", "clock")} == {"warning"}
    assert shown.last == "1 error, 5 warnings: mend them from the top, then run itnio-nb doctor again."
    assert not (tmp_path / "default-ledger.sqlite").exists()
    on_sandbox = doctor("--sandbox", "--app-id", "any")
    assert (on_sandbox.wrong(), on_sandbox.code) == ({}, 0)
    assert on_sandbox.text("API secret") == "there, from the sandbox"


# What is broken of a server that runs here: its settings, the rows that are wrong, and the words of the first.
SERVERS: dict[str, tuple[dict[str, object], dict[str, str], str]] = {
    "an address that is not allowed": (
        {"allowed_addresses": ["192.0.2.1"]}, {"allow-list": "error"}, "Add the address in the ITNIO console"),
    "a clock behind": ({"clock_offset": 3 * 3600}, {"clock": "warning"}, "3 h behind the server's → Set this"),
    "a clock ahead": ({"clock_offset": -600}, {"clock": "warning"}, "ahead of the server's → Set this machine's clock"),
    "a clock of another day": (
        {"clock_offset": 3 * 86400}, {"clock": "error"}, "the server refuses its time → Set this machine's clock"),
    "an unknown application": (
        {"app_ids": ["other"]}, {f"application {APP}": "error"}, "Check the application id"),
    "a server fault": ({"broken": True}, {f"application {APP}": "error"}, "Try again in a minute"),
}  # fmt: skip


@pytest.mark.parametrize("name", SERVERS)
def test_servers(name: str, configure: Callable[[Account], None]) -> None:
    settings, expected, words = SERVERS[name]
    with Sandbox(**settings) as sandbox:  # type: ignore[arg-type] # of several types
        configure(sandbox.account)
        shown = doctor("--app-id", APP)
    assert shown.wrong() == expected
    assert words in shown.text(next(iter(expected)))


def test_a_server_fault_without_an_application(sandbox: Sandbox, configure: Callable[[Account], None]) -> None:
    """It is no account that works."""
    sandbox.broken = True
    configure(sandbox.account)
    shown = doctor()
    assert shown.wrong() == {"applications": "error"}
    assert "not tried" in shown.text("account")


def test_a_wrong_secret(sandbox: Sandbox, configure: Callable[[Account], None]) -> None:
    """The address is right, and the key is not."""
    configure(Account(sandbox.account.api_key, SECRET, sandbox.base_url))
    shown = doctor("--app-id", APP)
    assert shown.wrong() == {"account": "error"}
    assert "Check ITNIO_API_KEY and ITNIO_API_SECRET" in shown.text("account")


# What is broken of an address: it, the environment, the row that is wrong, and its words.
ADDRESSES: dict[str, tuple[str, dict[str, str], str, str]] = {
    "nobody listens": (NOWHERE, {}, "address", "Is the sandbox still running?"),
    "an unknown host": ("https://no-such.example/voice", {}, "address", "unknown host. Check the network and ITNIO_"),
    "not encrypted": ("http://api.example/voice", {}, "address", "use https (ITNIO_BASE_URL)"),
    "no root certificates": (
        "https://api.example/voice", {"REQUESTS_CA_BUNDLE": "nowhere.pem"}, "certificates", "mend REQUESTS_CA_BUNDLE"),
    "a proxy that is not there": (
        "https://api.example/voice", {"HTTPS_PROXY": f"http://me:{SECRET}@127.0.0.1:9"}, "address",
        "the proxy did not connect. Check HTTPS_PROXY"),
    "a proxy in small letters": (
        "https://api.example/voice", {"https_proxy": "http://127.0.0.1:9"}, "address", "Check HTTPS_PROXY"),
}  # fmt: skip


@pytest.mark.parametrize("name", ADDRESSES)
def test_addresses(name: str, configure: Callable[[Account], None], monkeypatch: pytest.MonkeyPatch) -> None:
    address, environment, check, words = ADDRESSES[name]
    configure(Account("key-1234", SECRET, address))
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    shown = doctor("--app-id", APP)
    assert shown.wrong() == {check: "error"}
    assert words in shown.text(check, "error")
    if "proxy" in name:
        assert shown.text("proxy") == f"{environment.popitem()[1].rsplit('@')[-1]}, from HTTPS_PROXY in the environment"


def test_a_path_that_is_not_there(sandbox: Sandbox, configure: Callable[[Account], None]) -> None:
    """As an address of which a part was left out, or added."""
    account = sandbox.account
    for path, words in (("/voice/sipAdd", "HTTP 404 instead of an answer"), ("/other", "HTTP 404 instead of")):
        base = sandbox.base_url.removesuffix("/voice") + path
        configure(Account(account.api_key, account.api_secret, base))
        shown = doctor("--app-id", APP)
        assert shown.wrong() == {"address": "error"}
        assert words in shown.text("address")
        assert "Check that ITNIO_BASE_URL is the API's address without /sipAdd" in shown.text("address")


@pytest.fixture
def encrypted(configure: Callable[[Account], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Start a server with a certificate, and configure it; its authority is known or not."""
    with ExitStack() as stack:

        def start(answer: bytes, ends: datetime, *, is_known: bool) -> None:
            authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("localhost", not_after=ends).configure_cert(context)
            (authority if is_known else trustme.CA()).cert_pem.write_to_path("authority.pem")
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", "authority.pem")
            address, _ = stack.enter_context(serving_https(context, answer))
            configure(Account("key-1234", SECRET, address))

        yield start


LISTED = b'{"status": "0", "reason": "success", "data": {"records": [], "total": 0, "size": 1}}'


def test_certificates(encrypted: Callable[..., None]) -> None:
    """A good one; one of an authority that nobody knows; one that has ended."""
    encrypted(LISTED, datetime.now(UTC) + DAY, is_known=True)
    assert doctor("--app-id", APP).wrong() == {}
    encrypted(LISTED, datetime.now(UTC) + DAY, is_known=False)
    shown = doctor("--app-id", APP)
    assert shown.wrong() == {"address": "error", "certificates": "error"}
    assert "name its root certificate in REQUESTS_CA_BUNDLE" in shown.text("certificates")
    encrypted(LISTED, datetime.now(UTC) - DAY, is_known=True)
    assert "has expired. Check this machine's clock" in doctor("--app-id", APP).text("certificates")


def test_words_are_not_taken_for_others(encrypted: Callable[..., None]) -> None:
    """An application may be named like what is looked for in a message."""
    encrypted(b'{"status": "-22", "reason": "Parameter exception"}', datetime.now(UTC) + DAY, is_known=True)
    shown = doctor("--app-id", "certificate")
    assert shown.wrong() == {"application certificate": "error"}
    assert shown.text("certificates", "ok")


def test_an_answer_of_something_else(encrypted: Callable[..., None]) -> None:
    """A page to log in at, as hotels and proxies have it: encrypted well, and not the API."""
    encrypted(b"<html>Welcome to our hotel</html>", datetime.now(UTC) + DAY, is_known=True)
    shown = doctor("--app-id", APP)
    assert shown.wrong() == {"address": "error"}
    assert "not tried" in shown.text("certificates")


# What is broken of the sources: the environment, `.env`, its mode, the words of the row `settings`, and its result.
SOURCES: dict[str, tuple[dict[str, str], bytes, int, str, str]] = {
    "half an account": ({"ITNIO_API_KEY": "k"}, b"", 0o600, "Set it there too, or take out what is there", "error"),
    "half a file": ({}, f"ITNIO_API_SECRET={SECRET}".encode(), 0o600, "ITNIO_API_KEY is not set in ", "error"),
    "an odd address": (
        {"ITNIO_API_KEY": "k", "ITNIO_API_SECRET": SECRET, "ITNIO_BASE_URL": "ftp://x"}, b"", 0o600, "Write it like",
        "error"),
    "a file that all can write": ({}, b"ITNIO_API_KEY=k", 0o666, "then: chmod 600", "error"),
    "a file that all can read": (
        {}, f"ITNIO_API_KEY=k\nITNIO_API_SECRET={SECRET}\nITNIO_BASE_URL={NOWHERE}".encode(), 0o644,
        "everybody on this machine can read it: chmod 600", "warning"),
    "a file that is no text": ({}, b"\xff\xfeI\0", 0o600, "(it is not UTF-8 text): mend or delete", "error"),
    "a profile without a keyring": (
        {"ITNIO_PROFILE": "work"}, b"", 0o600, "Then take the profile work out: --profile, ITNIO_PROFILE", "error"),
    "no name of a profile": ({"ITNIO_PROFILE": "a b"}, b"", 0o600, "choose another", "error"),
    "a profile in a file": ({}, b"ITNIO_PROFILE=work", 0o600, "servers and containers have not", "error"),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_sources(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told with its mend; nothing else is taken in its place."""
    environment, text, mode, words, result = SOURCES[name]
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    if text:
        Path(".env").write_bytes(text)
        Path(".env").chmod(mode)
    shown = doctor()
    assert shown.wrong()["settings"] == result
    assert words in shown.text("settings")
    assert ("not tried" in shown.text("clock")) is True


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Have a keyring of `tests.support.keyrings` loaded."""
    monkeypatch.setenv("ITNIO_TEST_KEYRING", str(tmp_path / "entries.json"))

    def load(name: str) -> None:
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"tests.support.keyrings.{name}")
        monkeypatch.setattr("keyring.core._keyring_backend", None)

    load("FileKeyring")
    return load


def test_profiles(keyring: Callable[[str], None], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which counts, which stand behind it; one that is not there; a keyring that is locked, or keeps plain text."""
    account = sandbox.account
    write_profile("work", Profile(account.api_key, account.api_secret, account.base_url))
    Path(".env").write_text(f"ITNIO_API_KEY=k\nITNIO_API_SECRET={SECRET}\nITNIO_BASE_URL={NOWHERE}\n")
    Path(".env").chmod(0o600)
    shown = doctor("--profile", "work", "--app-id", APP)
    assert shown.wrong() == {}
    assert shown.text("API secret") == "there, from the keyring's profile work"
    assert shown.text("keyring") == "tests.support.keyrings.FileKeyring; profiles: work"
    assert shown.text("not used") == f"{Path('.env').absolute()}: all of an account comes from one source"
    monkeypatch.setenv("ITNIO_PROFILE", "")
    shown = doctor("--app-id", APP)
    assert shown.text("API secret") == f"there, from {Path('.env').absolute()}"
    assert shown.text("not used") == "the keyring's profile work: all of an account comes from one source"
    assert shown.text("keyring").endswith("profiles: work; it was not asked")
    shown = doctor("--profile", "ghost")
    assert shown.wrong() == {"settings": "error"}
    assert "itnio-nb login --profile ghost" in shown.text("settings")
    keyring("LockedKeyring")
    assert "it is locked: unlock it and try again" in doctor("--profile", "work").text("settings")
    keyring("PlaintextKeyring")
    shown = doctor("--profile", "work", "--app-id", APP)
    assert shown.wrong() == {"keyring": "warning"}
    assert "Use the keyring of the operating system" in shown.text("keyring")


def test_a_key_beside_a_profile(
    keyring: Callable[[str], None], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile is used, and the rest is told."""
    account = sandbox.account
    write_profile("work", Profile(account.api_key, account.api_secret, account.base_url))
    monkeypatch.setenv("ITNIO_API_KEY", "left-here")
    shown = doctor("--profile", "work", "--app-id", APP)
    assert shown.wrong() == {"settings": "warning"}
    assert "ITNIO_API_KEY in the environment not: take out one or the other" in shown.text("settings")


def test_an_entry_of_somebody_else(keyring: Callable[[str], None], tmp_path: Path) -> None:
    """In the keyring, under our name."""
    (tmp_path / "entries.json").write_text(json.dumps({"itnio-nb/work": SECRET}))
    assert "itnio-nb logout --profile work, then itnio-nb login" in doctor("--profile", "work").text("settings")


def damage(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    path.chmod(0o600)


def of_a_later_version(path: Path) -> None:
    Ledger(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE itnio_ledger SET schema = 999")
    connection.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (damage, "keep it, restore an earlier copy"),
        (of_a_later_version, "was made by a newer itnio-nb (schema 999): upgrade this one"),
        (Path.mkdir, "repair the file or its folder"),
        (lambda path: path.symlink_to(__file__), "give the file that it leads to"),
        (
            lambda path: os.environ.update({"ITNIO_LEDGER": "postgresql://me@host/x"}),
            "The ledger postgresql://host:5432/x does not answer (",
        ),
    ],
    ids=["damaged", "of a later version", "a folder", "a link", "a server that is not there"],
)
@pytest.mark.parametrize("is_configured", [True, False])
def test_ledgers(
    make: Callable[[Path], object],
    words: str,
    is_configured: bool,
    tmp_path: Path,
    encrypted: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a live account, which uses it, and of none, for which it would be used."""
    if is_configured:
        encrypted(LISTED, datetime.now(UTC) + DAY, is_known=True)
    path = tmp_path / "default-ledger.sqlite"
    monkeypatch.setenv("ITNIO_LEDGER", str(path))
    make(path)
    shown = doctor("--app-id", APP)
    assert shown.wrong() == {"ledger": "error"} | ({} if is_configured else {"settings": "error"})
    assert words in shown.text("ledger")


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        ("postgresql://anna:7bz1lzh9@127.0.0.1:9/x", "postgresql://anna:********@127.0.0.1:9/x"),
        ("postgres://anna:7bz1%40lzh9@127.0.0.1:9/x", "postgres://anna:********@127.0.0.1:9/x"),
        ("postgresql://127.0.0.1:9/x?password=7bz1@lzh9", "postgresql://********"),
        (
            "postgresql://127.0.0.1:9/x?user=me&password=7bz1lzh9",
            "postgresql://127.0.0.1:9/x?user=me&password=********",
        ),
        ("postgresql://anna:7bz1@lzh9@127.0.0.1:9/x", "postgresql://anna:********@127.0.0.1:9/x"),
        ("postgresql://anna:7bz1:lzh9@127.0.0.1:9/x", "postgresql://anna:********@127.0.0.1:9/x"),
        ("postgresql://anna:7bz1/lzh9@127.0.0.1:9/x", "postgresql://anna:********@127.0.0.1:9/x"),
        ("postgresql://anna:1/lzh9@127.0.0.1:9/x", "postgresql://anna:********@127.0.0.1:9/x"),
        ("postgresql://anna:7bz1?lzh9@127.0.0.1:9/x", "postgresql://********"),
        ("postgresql://anna:7bz1lzh9", "postgresql://********"),
        ("mysql://anna:7bz1lzh9@127.0.0.1:9/x", "mysql://anna:********@127.0.0.1:9/x"),
        ("host=127.0.0.1 port=9 user=anna password=7bz1lzh9", "********"),
    ],
)
def test_a_password_in_the_ledgers_address(address: str, hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is in no line, whatever becomes of that address; no file is called by it."""
    monkeypatch.setenv("ITNIO_LEDGER", address)
    shown = doctor()
    assert shown.text("ledger's address") == f"{hidden}, from ITNIO_LEDGER in the environment"
    assert [row for row in shown.rows if "7bz1" in row.text or "lzh9" in row.text] == []
    assert shown.wrong()["ledger"] == "error"
    assert [path for path in Path().iterdir() if "lzh9" in path.name] == []


def test_who_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names that receipts get, where they are set; one with an at is told whole, and is one line."""
    assert doctor().text("operator") == "the user of the operating system (ITNIO_OPERATOR is not set)"
    monkeypatch.setenv("ITNIO_OPERATOR", "anna@example.com\nno. 2")
    monkeypatch.setenv("ITNIO_MACHINE", "ops1")
    shown = doctor()
    assert shown.text("operator") == "anna@example.com\\nno. 2, from ITNIO_OPERATOR in the environment"
    assert shown.text("machine") == "ops1, from ITNIO_MACHINE in the environment"


def test_a_ledger_below_a_file(encrypted: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be made or written, for whom ever."""
    encrypted(LISTED, datetime.now(UTC) + DAY, is_known=True)
    Path("file").write_text("")
    monkeypatch.setenv("ITNIO_LEDGER", "file/ledger.sqlite")
    shown = doctor("--app-id", APP)
    assert shown.wrong() == {"ledger": "error"}
    assert "repair the file or its folder" in shown.text("ledger")


def test_a_ledger_that_fails_later(
    sandbox: Sandbox, configure: Callable[[Account], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was opened, and cannot be read any more: the account is checked all the same."""
    configure(sandbox.account)
    Ledger("results/ledger.sqlite").close()

    def fail(*_: object, **__: object) -> None:
        raise LedgerError("disk I/O error: repair the file.")

    monkeypatch.setattr(Ledger, "runs_of", fail)
    shown = doctor("--app-id", APP)
    assert shown.wrong() == {"ledger": "error"}
    assert shown.text("ledger") == "it cannot be read → disk I/O error: repair the file."


def test_a_ledger_that_others_can_read(encrypted: Callable[..., None], tmp_path: Path) -> None:
    """It is tightened, and told."""
    encrypted(LISTED, datetime.now(UTC) + DAY, is_known=True)
    path = tmp_path / "default-ledger.sqlite"
    Ledger(path).close()
    path.chmod(0o644)
    shown = doctor("--app-id", APP)
    assert shown.wrong() == {"ledger": "warning"}
    assert "and cannot any more" in shown.text("ledger")


def test_an_unfinished_run(sandbox: Sandbox, configure: Callable[[Account], None]) -> None:
    """With the line that goes on; its applications are those that are asked for."""
    configure(sandbox.account)
    sandbox.latency = 0.05
    with Client(sandbox.account) as client, Ledger("results/ledger.sqlite") as ledger:
        run = submit_plan(make_plan(many_orders(8), client, ledger), client, ledger, workers=1)
        until(lambda: sent(sandbox) > 1)
        run.stop()
    shown = doctor()
    assert shown.wrong() == {"earlier runs": "warning"}
    assert "ws.resume().wait() looks them up and goes on" in shown.text("earlier runs")
    assert "in it" in shown.text(f"application {APP}")
    assert shown.last == "1 warning: nothing stands in the way of a batch."


def test_this_machine(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, configure: Callable[[Account], None]) -> None:
    """Packages of an extra that are not there, one that is too old, a disk that fills, a sandbox that was asked for."""
    configure(sandbox.account)
    Ledger("results/ledger.sqlite").close()
    monkeypatch.setitem(sys.modules, "voila", None)
    monkeypatch.setattr("itnio_nb.runs.preflight.machine.free_bytes", lambda *_: 300_000_000)
    monkeypatch.setattr(
        "itnio_nb.runs.preflight.machine.version", lambda name: "1.0" if name == "pandas" else "99999999"
    )
    monkeypatch.setenv("ITNIO_SANDBOX", "1")
    shown = doctor("--app-id", APP)
    assert shown.wrong() == {
        "versions": "error", "sandbox": "warning", "disk": "warning", "front ends": "warning"
    }  # fmt: skip
    assert "pandas is 1.0, and >=2.3 is needed → pip install --upgrade itnio-nb" in shown.text("versions")
    assert 'itnio-nb app: packages are not installed → pip install "itnio-nb[lab]"' in shown.text("front ends")
    assert "only 300 MB are free" in shown.text("disk")
    assert "Take it out, for the account" in shown.text("sandbox")


def test_what_is_shown_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines break between words, and what was found stays in its column."""
    from itnio_nb.cli.account import doctor as command
    from itnio_nb.runs.preflight.machine import Check

    check = Check("settings", "error", "two words " * 20, "mend it by a path /that/is/longer-than/any-line/" + "x" * 60)
    assert len(command._as_text(check).splitlines()) == 2
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    lines = command._as_text(check).splitlines()
    assert all(len(line) <= 80 for line in lines[:-1])
    assert {line[:33] for line in lines[1:]} == {" " * 33}
    assert " ".join(" ".join(lines).split()).count("two words") == 20
