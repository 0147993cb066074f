"""TLS to a ledger's server: whatever is not this machine is verified, before a password is sent."""

from __future__ import annotations

import datetime
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from itnio_nb import Ledger, LedgerError
from itnio_nb.ledger.database.postgres.connecting import ServerAddress
from itnio_nb.ledger.database.postgres.tls import is_local
from tests.support.cluster import Cluster

NAME = "db.example.com"  # which leads to 127.0.0.1 here, as the address says
PASSWORD = "the-right-one"
ROOTS = trustme.CA()
OTHERS = trustme.CA()
_YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
# Certificates by what is wrong with them for `NAME` and `ROOTS`, and how that is told.
CERTIFICATES = {
    "wrong authority": (OTHERS.issue_cert(NAME), "certificate verify failed.*: name the authority"),
    "wrong name": (ROOTS.issue_cert("db.example.org"), "does not match host name.*: write the name"),
    "a name below": (ROOTS.issue_cert(f"a.{NAME}"), "does not match host name"),
    "of the address": (ROOTS.issue_cert("127.0.0.1"), "does not match host name|certificate for"),
    "expired": (
        ROOTS.issue_cert(NAME, not_before=_YESTERDAY - datetime.timedelta(days=9), not_after=_YESTERDAY),
        "certificate verify failed.*an expired one",
    ),
}


@pytest.fixture(scope="module")
def cluster(cluster: Cluster) -> Cluster:
    cluster.sql("CREATE DATABASE secret")
    cluster.sql(f"CREATE ROLE tessa LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    return cluster


@pytest.fixture
def roots(tmp_path: Path) -> str:
    path = tmp_path / "roots.pem"
    ROOTS.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("PG", "SSL_CERT"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def serve(cluster: Cluster, certificate: trustme.LeafCert | None) -> None:
    """Have the server answer with a certificate from now on, or without TLS."""
    if certificate is not None:
        cluster.encrypt(certificate)
    cluster.sql(f"ALTER SYSTEM SET ssl = {'off' if certificate is None else 'on'}")
    cluster.reload()


def address(cluster: Cluster, **options: str) -> str:
    """The server as one on another machine, whose name leads here."""
    url = cluster.url("tessa", "secret", PASSWORD, hostaddr="127.0.0.1", **options)
    return url.replace("@127.0.0.1:", f"@{NAME}:")


def passwords_asked(cluster: Cluster) -> int:
    """How often somebody has come as far as to be asked for a password, with success or not."""
    return cluster.log.count("authenticated: identity=") + cluster.log.count("password authentication failed")


@pytest.mark.parametrize("given", ["in the address", "PGSSLROOTCERT", "in the folder", "verify-ca", "the system's"])
def test_a_server_is_verified_by_default(
    given: str, cluster: Cluster, roots: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the name that was written, and the authority that was named, or one that the system knows."""
    serve(cluster, ROOTS.issue_cert(NAME))
    options = {}
    if given == "PGSSLROOTCERT":
        monkeypatch.setenv("PGSSLROOTCERT", roots)
    elif given == "in the folder":
        (tmp_path / ".postgresql").mkdir()
        Path(roots).rename(tmp_path / ".postgresql" / "root.crt")
    elif given == "the system's":
        monkeypatch.setenv("SSL_CERT_FILE", roots)
    else:
        options = {"sslrootcert": roots} | ({"sslmode": "verify-ca"} if given == "verify-ca" else {})
    with Ledger(address(cluster, **options)) as ledger, ledger.database.transaction() as connection:
        uses = connection.exec_driver_sql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").scalar_one()
    assert uses is True


@pytest.mark.parametrize("wrong", CERTIFICATES)
def test_a_server_that_cannot_be_verified_gets_no_password(wrong: str, cluster: Cluster, roots: str) -> None:
    """It is told what is wrong; the server has not seen anybody."""
    certificate, words = CERTIFICATES[wrong]
    serve(cluster, certificate)
    before = passwords_asked(cluster)
    with pytest.raises(LedgerError, match=words) as caught:
        Ledger(address(cluster, sslrootcert=roots))
    assert passwords_asked(cluster) == before
    assert PASSWORD not in str(caught.value)


def test_an_authority_that_nobody_named_is_not_trusted(cluster: Cluster) -> None:
    """A private one, with the roots of the system alone."""
    serve(cluster, ROOTS.issue_cert(NAME))
    before = passwords_asked(cluster)
    with pytest.raises(LedgerError, match="certificate verify failed"):
        Ledger(address(cluster))
    assert passwords_asked(cluster) == before


def test_a_file_of_roots_that_is_not_there_is_told(cluster: Cluster) -> None:
    serve(cluster, ROOTS.issue_cert(NAME))
    with pytest.raises(LedgerError, match=r"root certificate file .* does not exist.*: name a file that is there"):
        Ledger(address(cluster, sslrootcert="/nonexistent/root.crt"))


def test_a_plain_server_gets_no_password(cluster: Cluster, roots: str) -> None:
    serve(cluster, None)
    before = passwords_asked(cluster)
    with pytest.raises(LedgerError, match=r"does not support SSL.*: have the administrator turn on ssl"):
        Ledger(address(cluster, sslrootcert=roots))
    assert passwords_asked(cluster) == before


@pytest.mark.parametrize("answer", [b"N", b"S", b"G", b"E", b""])
def test_what_only_says_that_it_is_a_server_hears_nothing_but_the_question(answer: bytes, roots: str) -> None:
    """Somebody who listens in its place: whatever they answer, neither role, database nor password is sent."""
    with listener(answer) as (port, heard), pytest.raises(LedgerError, match=r"cannot be reached|does not answer"):
        Ledger(f"postgresql://tessa:{PASSWORD}@{NAME}:{port}/secret?hostaddr=127.0.0.1&sslrootcert={roots}")
    said = b"".join(heard)
    assert said.startswith(b"\0\0\0\x08\x04\xd2\x16\x2f")  # the request for TLS
    assert b"tessa" not in said
    assert b"secret" not in said
    assert PASSWORD.encode() not in said


@contextmanager
def listener(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Somebody who answers the first eight bytes of each connection, and keeps all that is sent."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(8))
                    connection.sendall(answer)
                    connection.settimeout(0.5)
                    try:
                        while answer and (more := connection.recv(4096)):
                            heard.append(more)
                    except OSError:
                        pass

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("mode", ["require", "prefer", "allow", "disable", "nonsense"])
@pytest.mark.parametrize("by", ["address", "environment"])
def test_less_than_verifying_is_refused_for_another_machine(
    mode: str, by: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anybody is asked for anything."""
    if by == "environment":
        monkeypatch.setenv("PGSSLMODE", mode)
    before = cluster.log.count("connection received")
    with pytest.raises(LedgerError, match=f"sslmode={mode} does not verify which one answers|is no address"):
        Ledger(address(cluster, **({"sslmode": mode} if by == "address" else {})))
    assert cluster.log.count("connection received") == before


def test_a_server_on_this_machine_needs_no_tls(cluster: Cluster) -> None:
    """Over loopback, by number and by name, and over a socket."""
    serve(cluster, None)
    for host in ("127.0.0.1", "localhost", "127.0.0.1,localhost"):
        with Ledger(f"postgresql://tessa:{PASSWORD}@/secret?host={host}&port={cluster.port}") as ledger:
            assert len(ledger.table) == 0
    with Ledger(f"postgresql://tessa@/secret?host={cluster.folder}&port={cluster.port}") as ledger:
        assert len(ledger.table) == 0


@pytest.mark.parametrize(
    ("names", "addresses", "local"),
    [
        ("", "", True),
        ("localhost", "", True),
        ("127.0.0.1", "", True),
        ("127.8.8.8", "", True),
        ("LOCALHOST", "", True),
        ("::1", "", True),
        ("/run/postgresql", "", True),
        ("@abstract", "", True),
        ("", "127.0.0.1", True),
        ("localhost,127.0.0.1", "", True),
        (NAME, "", False),
        (NAME, "127.0.0.1", False),  # a tunnel, perhaps
        ("localhost", "192.0.2.1", False),
        ("", "192.0.2.1", False),
        ("127.0.0.1", "192.0.2.1", False),
        (f"localhost,{NAME}", "", False),
        ("localhost,localhost", "127.0.0.1,192.0.2.1", False),
        ("localhost.example.com", "", False),
        ("127.0.0.1.example.com", "", False),
        ("127.1", "", False),  # whoever reads it
        ("0.0.0.0", "", False),
        ("10.0.0.1", "", False),
        ("192.168.1.1", "", False),
        ("169.254.0.1", "", False),
        ("::ffff:192.0.2.1", "", False),
        ("fe80::1", "", False),
        ("localhost/../x", "", False),
        (" localhost", "", False),
    ],
)
def test_what_is_this_machine(names: str, addresses: str, local: bool) -> None:
    """Where its packets go, and what it is called: both."""
    assert is_local(names, addresses) is local


@pytest.mark.parametrize("how", ["in the address", "PGSERVICE", "PGHOST", "PGHOSTADDR"])
def test_another_machine_that_the_address_does_not_name_is_verified_too(
    how: str, cluster: Cluster, roots: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server that libpq finds in its own places: a file of services, the environment."""
    serve(cluster, OTHERS.issue_cert(NAME))
    services = tmp_path / "services"
    services.write_text(
        f"[phones]\nhost={NAME}\nhostaddr=127.0.0.1\nport={cluster.port}\ndbname=secret\nuser=tessa\n"
        f"password={PASSWORD}\nsslmode=prefer\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    monkeypatch.setenv("PGSSLROOTCERT", roots)
    url = "postgresql://"
    if how == "in the address":
        url = "postgresql://?service=phones"
    elif how == "PGSERVICE":
        monkeypatch.setenv("PGSERVICE", "phones")
    else:
        url = f"postgresql://tessa:{PASSWORD}@:{cluster.port}/secret"
        monkeypatch.setenv("PGHOST", NAME)
        monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
    before = passwords_asked(cluster)
    with pytest.raises(LedgerError, match=r"certificate verify failed|sslmode=prefer does not verify"):
        Ledger(url)
    assert passwords_asked(cluster) == before


def test_a_wheel_of_psycopg_finds_the_roots_of_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its own library looks for them where there is nothing."""
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is None:
        pytest.skip("this Python knows of no file of roots")
    for given in ("", "?sslrootcert=system"):
        assert ServerAddress(f"postgresql://{NAME}/phones{given}")._options["sslrootcert"] == bundle
