"""A secret that is never shown, and calls of which no traceback shows headers, bodies or passwords."""

from __future__ import annotations

import http.client
import io
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import rich.console
import rich.traceback
from IPython.core.ultratb import VerboseTB

from itnio_nb import Account, Client, InputError, ItnioError, Sandbox, export_credentials, make_plan, submit_plan
from itnio_nb.api.account.secret import Secret, child_environment, hide_passwords, private_frames
from itnio_nb.ledger.ledger import Ledger
from tests.support.factories import APP, group, many_orders

CANARY = "s3cr3t-canary"


class Interrupting:
    """Interrupts this thread at the call of a function in one of these packages, the so-manieth."""

    def __init__(self, at: int) -> None:
        self.left, self.hit = at, ""

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_globals.get("__name__", "")
        if event != "call" or not name.startswith(("itnio_nb", "requests", "urllib3", "http", "json", "pandas")):
            return
        self.left -= 1
        if self.left == 0:
            self.hit = f"{name}.{frame.f_code.co_name}"
            sys.setprofile(None)
            raise KeyboardInterrupt


def interrupted(work: Callable[[], object], at: int) -> tuple[str, BaseException | None]:
    """Where some work was interrupted, and what came out of it."""
    interrupt = Interrupting(at)
    sys.setprofile(interrupt)
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return interrupt.hit, error
    finally:
        sys.setprofile(None)
    return interrupt.hit, None


def shown(error: BaseException) -> str:
    """What tools that show variables print of an error: Python's own, and all variables of all frames."""
    plain = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join(["".join(plain.format()), *frames(error)])


def shown_by_others(error: BaseException) -> str:
    """What IPython, in its mode Verbose, and rich print."""
    file = io.StringIO()
    whole = rich.traceback.Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True, locals_max_length=1000, locals_max_string=10_000
    )
    rich.console.Console(file=file, width=500).print(whole)
    return VerboseTB().text(type(error), error, error.__traceback__) + file.getvalue()


def frames(error: BaseException | None) -> Iterator[str]:
    """The variables of all frames of an error and of those behind it, one level into objects."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "tests" not in frame.f_code.co_filename:
                yield from (repr(value) + repr(getattr(value, "__dict__", "")) for value in frame.f_locals.values())
        error = error.__cause__ or error.__context__


@pytest.fixture
def secrets(sandbox: Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What must not be seen: the secret, the signatures made so far, the passwords of the phones."""
    signatures: list[str] = []
    original = sys.modules["itnio_nb.api.transport"].signed_headers

    def signed(account: Account, timestamp: int) -> dict[str, str]:
        headers: dict[str, str] = original(account, timestamp)
        signatures.append(headers["Sign"])
        return headers

    monkeypatch.setattr("itnio_nb.api.transport.signed_headers", signed)
    client.create_phones(group("sales", "desk", 3))
    passwords = sandbox.phones["password"].tolist()
    return lambda: [sandbox.account.api_secret.reveal(), *signatures, *passwords]


# An interrupt between two steps of a generator's end is lost: Python's own, not ours.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("what", ["create", "list", "count", "export as csv", "export as xlsx"])
def test_an_interrupt_shows_nothing(
    what: str, client: Client, secrets: Callable[[], list[str]], tmp_path: Path
) -> None:
    """Wherever it comes: each so-manieth function that is called, our own and those of the libraries, once."""
    other = group("other", "line", 2)
    work: dict[str, Callable[[], object]] = {
        "create": lambda: client.create_phones(other),
        "list": lambda: client.list_phones(APP, reveal=True),
        "count": lambda: client.count_phones(APP),
        "export as csv": lambda: export_credentials(client, APP, ["sales"], tmp_path / "phones.csv"),
        "export as xlsx": lambda: export_credentials(client, APP, ["sales"], tmp_path / "phones.xlsx"),
    }
    work[what]()
    places, at = set(), 1
    while True:
        (tmp_path / "phones.csv").unlink(missing_ok=True)
        (tmp_path / "phones.xlsx").unlink(missing_ok=True)
        hit, error = interrupted(work[what], at)
        if not hit:
            break
        places.add(hit)
        if error is not None:
            text = shown(error) + (shown_by_others(error) if at in (10, 50, 200) else "")
            assert not [one for one in secrets() if one in text], (hit, text)
        at += 1 if at < 40 else 13
    assert len(places) > 20
    assert "itnio_nb.api.transport._send" in places or what.startswith("export")


def test_errors_show_nothing(
    sandbox: Sandbox, client: Client, secrets: Callable[[], list[str]], tmp_path: Path
) -> None:
    """What the server or a file causes, and a mistake of ours, of which a note tells where it was made."""
    errors = []
    works: dict[str, Callable[[], object]] = {
        "lack": lambda: export_credentials(client, APP, ["sales", "missing"], tmp_path / "phones.xlsx"),
        "No application": lambda: client.list_phones("", reveal=True),
        "could not be listed": lambda: client.list_phones(APP, reveal=True),
    }
    for what, work in works.items():
        if what == "could not be listed":
            sandbox.stop()
        with pytest.raises(ItnioError, match=what) as raised:
            work()
        errors.append(raised.value)
    text = "".join(map(shown, errors))
    assert not [one for one in secrets() if one in text]
    assert errors[-1].__context__ is None


def test_a_mistake_of_ours_is_noted() -> None:
    """Without the frames, the place is all that helps."""

    known = Secret("".join(reversed(CANARY)))

    def wrong() -> None:
        hidden = known.reveal()
        raise RuntimeError("wrong") from ValueError(hidden)

    with pytest.raises(RuntimeError, match="wrong") as raised:
        private_frames(wrong)()
    assert raised.value.__notes__[0].startswith("raised in wrong, line ")
    text = shown(raised.value) + shown_by_others(raised.value)
    assert known.reveal() not in text
    with pytest.raises(InputError) as refused:
        private_frames(_refuse)()
    assert not hasattr(refused.value, "__notes__")


def _refuse() -> None:
    raise InputError("No.")


def test_logs_show_nothing(
    client: Client, secrets: Callable[[], list[str]], ledger: Ledger, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """All that libraries log, and what Python's own connections print when somebody asks them to."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    logging.getLogger().addHandler(handler)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        submit_plan(make_plan(many_orders(3), client, ledger), client, ledger).wait()
        client.list_phones(APP, reveal=True)
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(level)
    out, err = capfd.readouterr()
    assert not [one for one in secrets() if one in out + err + heard.getvalue()]


def test_a_secret_in_another_thread_is_masked_too() -> None:
    """As everywhere: the class decides, not the place."""
    texts: list[str] = []
    thread = threading.Thread(target=lambda: texts.append(f"{Secret(CANARY)!r}"))
    thread.start()
    thread.join()
    assert texts == ["********"]


# Passwords in addresses: each of these has "7bz1lzh9", or a part of it.

WITH_PASSWORDS = {
    "plain": ("postgresql://anna:7bz1lzh9@db/phones", "postgresql://anna:********@db/phones"),
    "the other scheme": ("postgres://anna:7bz1lzh9@db/phones", "postgres://anna:********@db/phones"),
    "capitals": ("POSTGRESQL://anna:7bz1lzh9@db/phones", "POSTGRESQL://anna:********@db/phones"),
    "a driver": ("postgresql+psycopg://anna:7bz1lzh9@db/x", "postgresql+psycopg://anna:********@db/x"),
    "another server": ("mysql://anna:7bz1lzh9@db:3306/x", "mysql://anna:********@db:3306/x"),
    "a port": ("postgresql://anna:7bz1lzh9@db:5432/phones", "postgresql://anna:********@db:5432/phones"),
    "hosts": ("postgresql://anna:7bz1lzh9@a:1,b:2/x", "postgresql://anna:********@a:1,b:2/x"),
    "version 6": ("postgresql://anna:7bz1lzh9@[::1]:5432/x", "postgresql://anna:********@[::1]:5432/x"),
    "no user": ("postgresql://:7bz1lzh9@db/x", "postgresql://:********@db/x"),
    "no host": ("postgresql://anna:7bz1lzh9@/x", "postgresql://anna:********@/x"),
    "no database": ("postgresql://anna:7bz1lzh9@db", "postgresql://anna:********@db"),
    "an at": ("postgresql://anna:7bz1@lzh9@db/x", "postgresql://anna:********@db/x"),
    "a colon": ("postgresql://anna:7bz1:lzh9@db/x", "postgresql://anna:********@db/x"),
    "a slash": ("postgresql://anna:7bz1/lzh9@db/x", "postgresql://anna:********@db/x"),
    "a hash": ("postgresql://anna:7bz1#lzh9@db/x", "postgresql://anna:********@db/x"),
    "a bracket": ("postgresql://anna:7bz1[lzh9]@db/x", "postgresql://anna:********@db/x"),
    "a question": ("postgresql://anna:7bz1?lzh9@db/x", "postgresql://********"),
    "a question and an at": ("postgresql://anna:7bz@1?lzh9@db/x", "postgresql://********"),
    "escapes": ("postgresql://anna:7bz1lzh9%40%3A%2F@db/x", "postgresql://anna:********@db/x"),
    "blanks": (" postgresql://anna:7bz1 lzh9@db/x\n", " postgresql://anna:********@db/x\n"),
    "a parameter": ("postgresql://db/x?password=7bz1lzh9", "postgresql://db/x?password=********"),
    "capital parameter": ("postgresql://db/x?PASSWORD=7bz1lzh9", "postgresql://db/x?password=********"),
    "escaped parameter": ("postgresql://db/x?pass%77ord=7bz1lzh9", "postgresql://db/x?password=********"),
    "parameters": (
        "postgresql://db/x?user=anna&password=7bz1lzh9&sslmode=verify-full",
        "postgresql://db/x?user=anna&password=********&sslmode=verify-full",
    ),
    "a parameter with an at": ("postgresql://db/x?password=7bz1@lzh9", "postgresql://********"),
    "a parameter with an and": ("postgresql://db/x?password=7bz1&lzh9", "postgresql://db/x?password=********&********"),
    "a parameter with a question": ("postgresql://db/x?password=7bz1?lzh9", "postgresql://db/x?password=********"),
    "two questions": ("postgresql://db/x?sslmode=a?password=7bz1lzh9", "postgresql://db/x?********"),
    "semicolons": ("postgresql://db/x?sslmode=a;password=7bz1lzh9", "postgresql://db/x?********"),
    "of a key": ("postgresql://db/x?sslpassword=7bz1lzh9", "postgresql://db/x?********"),
    "twice": ("postgresql://a:7bz1@db/x?password=lzh9", "postgresql://a:********@db/x?password=********"),
    "no host by mistake": ("postgresql://anna:7bz1lzh9", "postgresql://********"),
    "no at by mistake": ("postgresql://anna:7bz1lzh9/x", "postgresql://********"),
    "libpq's other form": ("host=db user=anna password=7bz1lzh9", "********"),
    "that with blanks": ("host=db password = '7bz1 lzh9'", "********"),
}
WITHOUT_PASSWORDS = [
    "",
    "ledger.sqlite",
    "/srv/phones/ledger.sqlite",
    "/srv/a:b@c/ledger.sqlite",
    "C:\\phones\\ledger.sqlite",
    "sqlite:////srv/a:b@c/ledger.sqlite",
    "sqlite:///ledger.sqlite",
    "postgresql://db/phones",
    "postgresql:///phones",
    "postgres://anna@db:5432/phones",
    "postgresql://anna@a:1,[::1]:2/phones?sslmode=verify-full&sslrootcert=/etc/root.crt",
    "postgresql:///phones?host=/run/postgresql&port=5433",
]


@pytest.mark.parametrize(("address", "shown"), WITH_PASSWORDS.values(), ids=WITH_PASSWORDS)
def test_a_password_in_an_address_is_hidden(address: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What else stands there is shown where it is certainly none; a child that sends nothing does not get it."""
    assert hide_passwords(address) == shown
    assert "7bz1" not in shown
    assert "lzh9" not in shown
    monkeypatch.setenv("ITNIO_LEDGER", address)
    assert "ITNIO_LEDGER" not in child_environment()


@pytest.mark.parametrize("address", WITHOUT_PASSWORDS)
def test_an_address_without_a_password_is_shown(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may have a colon or an at in it; a child gets it."""
    assert hide_passwords(address) == address
    monkeypatch.setenv("ITNIO_LEDGER", address)
    assert child_environment()["ITNIO_LEDGER"] == address


def test_a_long_address_is_hidden_at_once() -> None:
    """Nothing is tried again and again."""
    assert hide_passwords("postgresql://" + "a," * 100_000 + ":7bz1lzh9") == "postgresql://********"
    assert hide_passwords("postgresql://" + "[" * 100_000) == "postgresql://********"


def test_a_child_that_sends_nothing_gets_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of the account nor of the ledger's server; the rest of the environment it does get."""
    monkeypatch.delenv("ITNIO_LEDGER")
    for name in ("ITNIO_API_KEY", "ITNIO_API_SECRET", "PGPASSWORD", "PGUSER"):
        monkeypatch.setenv(name, "7bz1lzh9")
    given = child_environment()
    assert [name for name, value in given.items() if value == "7bz1lzh9"] == ["PGUSER"]
    assert "PATH" in given
