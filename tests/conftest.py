"""What all tests share: a sandbox, a client, a ledger, and a network that is shut except for loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from itnio_nb import Client, Ledger, Sandbox
from tests.support.factories import ROOT
from tests.support.ledgers import new_place

settings.register_profile("no clock", deadline=None)  # correctness is tested, speed is not
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("no clock")

TORTURE, UNIT = ROOT / "tests" / "torture", ROOT / "tests" / "unit"
OF_LEDGERS, OF_FILES = (UNIT / "ledger", UNIT / "runs", TORTURE), UNIT / "ledger" / "database" / "sqlite"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any name but localhost is unknown, any address but loopback is refused."""
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def is_loopback(host: object) -> bool:
        try:
            return host == "localhost" or ip_address(str(host)).is_loopback
        except ValueError:
            return False

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address[0]):
            raise ConnectionRefusedError(f"the tests' network is shut: {address}")
        connect(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None and not is_loopback(host):
            raise socket.gaierror(socket.EAI_NONAME, "the tests' network is shut")
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees, or writes to, what belongs to the person who runs it."""
    account = ("ITNIO_API_KEY", "ITNIO_API_SECRET", "ITNIO_BASE_URL", "ITNIO_SANDBOX")
    for name in (*account, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ITNIO_LEDGER", str(tmp_path / "default-ledger.sqlite"))
    monkeypatch.setenv("ITNIO_PROFILE", "")  # restored, where --profile has set it
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data-home"))
    monkeypatch.setenv("ITNIO_PROGRESS", "off")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience is tested by how often, not by how long."""
    monkeypatch.setattr("itnio_nb.api.listing.pages._PAUSE", 0.005)
    monkeypatch.setattr("itnio_nb.api.listing.pages._MAX_PAUSE", 0.02)
    monkeypatch.setattr("itnio_nb.api.transport._PAUSE", 0.001)
    monkeypatch.setattr("itnio_nb.runs.reconcile.resolver.PAUSES", (0.02, 0.04, 0.08, 0.16))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with Client(sandbox.account, timeout=(2, 5)) as made:
        yield made


@pytest.fixture
def ledger_kind() -> str:
    """`sqlite` or `postgres`, see `pytest_generate_tests`."""
    return "sqlite"


@pytest.fixture
def ledger_place(ledger_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the test's ledger is: a file that is not there yet, or a new database in a server."""
    with new_place(ledger_kind, tmp_path, durable=request.path.is_relative_to(TORTURE)) as place:
        yield place


@pytest.fixture
def ledger(ledger_place: str) -> Iterator[Ledger]:
    with Ledger(ledger_place) as made:
        yield made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is about the ledger, and about runs, with each kind of ledger, unless it is about the file itself."""
    test = metafunc.definition
    of_file = test.path.is_relative_to(OF_FILES) or test.get_closest_marker("sqlite_only")
    if "ledger_kind" in metafunc.fixturenames and not of_file and any(map(test.path.is_relative_to, OF_LEDGERS)):
        metafunc.parametrize("ledger_kind", ["sqlite", "postgres"])
