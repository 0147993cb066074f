"""Private PostgreSQL servers with rights and certificates of their own, which are stopped, started and copied."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import trustme

from tests.support.required import lacking

_OLDEST = 15
# Of a server whose machine will not fail: what it has answered need not be on a disk, unless it is told so.
_SETTINGS = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB", "log_connections=on")
# Whoever comes over the socket, or to any database but one of the name that has a password, is who they say they are.
_WHO = """\
local all all trust
local replication all trust
host secret all 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
hostssl all all 192.0.2.0/24 scram-sha-256
host replication all 127.0.0.1/32 trust
"""
_PATIENCE = 60  # seconds for a server to answer


class Cluster:
    """A server on a free port of `host`; `folder` has its `data`, its `log` and its socket.

    `inside` are the words that run a program on another machine than this: see `Network.command`. It ends with the
    thread that has started it.
    """

    def __init__(
        self, folder: Path, settings: Sequence[str] = (), host: str = "127.0.0.1", inside: Sequence[str] = ()
    ) -> None:
        self.folder, self.settings, self.host, self._inside = folder, tuple(settings), host, tuple(inside)
        self.port = free_port()
        self._process: subprocess.Popen[Any] | None = None

    @property
    def log(self) -> str:
        """All that it has logged."""
        return (self.folder / "log").read_text(errors="replace")

    def make(self) -> None:
        """Make its files; texts are in an order that is not that of their bytes, as on most servers."""
        words = ["-U", "postgres", "-E", "UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US"]
        self._run("initdb", "-D", self.folder / "data", *words, "-N", "-A", "trust")
        (self.folder / "data" / "pg_hba.conf").write_text(_WHO)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        given = [f"listen_addresses={self.host}", f"port={self.port}", f"unix_socket_directories={self.folder}"]
        command = [str(program_of("postgres")), "-D", str(self.folder / "data")]
        command += [f"--{one}" for one in (*_SETTINGS, *given, *self.settings)]
        options: dict[str, Any] = {"preexec_fn": end_with_parent, **server_user()}
        if self._inside:
            user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=QUIT"]
            command, options = [*self._inside, *user, *command], {}
        with (self.folder / "log").open("ab") as log:
            self._process = process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **options
            )
        told, until = self.folder / "data" / "postmaster.pid", time.monotonic() + _PATIENCE
        while not (told.exists() and told.read_text().splitlines()[7:8] == ["ready   "]):
            assert process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.01)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: all sessions at once, unless told otherwise."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(_PATIENCE)

    def encrypt(self, certificate: trustme.LeafCert) -> None:
        """Have it answer with a certificate once it is started, or has read its files again."""
        chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        data = self.folder / "data"
        for name, text in {"server.crt": chain, "server.key": certificate.private_key_pem.bytes()}.items():
            path = data / name
            path.write_bytes(text)
            path.chmod(0o600)
            shutil.chown(path, data.stat().st_uid, data.stat().st_gid)

    def reload(self) -> None:
        """Have it read its certificates and rights again, and wait until it has."""
        assert self._process is not None
        before = self.sql("SELECT pg_conf_load_time()")
        self._process.send_signal(signal.SIGHUP)
        while self.sql("SELECT pg_conf_load_time()") == before:
            time.sleep(0.01)

    def url(self, user: str = "postgres", database: str = "postgres", password: str = "", **options: str) -> str:
        """Return the address of one of its databases, as people write it."""
        who = quote(user) + (f":{quote(password)}" if password else "")
        asked = f"?{urlencode(options)}" if options else ""
        return f"postgresql://{who}@{self.host}:{self.port}/{database}{asked}"

    def sql(self, text: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Execute statements as the administrator, and return the last one's rows."""
        address = f"host={self.folder} port={self.port} user=postgres dbname={database}"
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(text)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def copy(self, folder: Path, settings: Sequence[str] = ()) -> Cluster:
        """Return a standby in another folder, which follows this server once it is started."""
        self._run(
            "pg_basebackup",
            "-D",
            folder / "data",
            "-h",
            self.folder,
            "-p",
            str(self.port),
            "-U",
            "postgres",
            "-R",
            "-c",
            "fast",
            "-N",
        )
        return Cluster(folder, settings, self.host)

    def _run(self, name: str, *words: str | Path) -> None:
        command = [program_of(name), *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, check=False, **server_user())
        assert done.returncode == 0, done.stderr


@contextmanager
def running(settings: Sequence[str] = (), host: str = "127.0.0.1", inside: Sequence[str] = ()) -> Iterator[Cluster]:
    """A new server, at work."""
    with new_folder() as folder:
        cluster = Cluster(folder, settings, host, inside)
        cluster.make()
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop(signal.SIGQUIT)


@contextmanager
def new_folder() -> Iterator[Path]:
    """A folder that belongs to whom a server runs as."""
    folder = Path(tempfile.mkdtemp(prefix="itnio-pg-"))
    if user := server_user():
        shutil.chown(folder, user["user"], user["group"])
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def programs() -> Path:
    """Return the folder of PostgreSQL's newest programs: on the path, where `pg_config` says, or Debian has them."""
    found = {Path(one).parent for one in [shutil.which("initdb")] if one}
    if asked := shutil.which("pg_config"):
        found.add(Path(subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=True).stdout.strip()))
    found |= set(Path("/usr/lib/postgresql").glob("*/bin"))
    complete = [one for one in found if all((one / name).exists() for name in ("initdb", "postgres"))]
    newest = max(complete, key=_major, default=None)
    if newest is None or _major(newest) < _OLDEST:
        lacking(
            f"no PostgreSQL {_OLDEST} or newer: on Debian and Ubuntu, apt install postgresql, "
            "or name a server in ITNIO_TEST_POSTGRES"
        )
    return newest


def _major(folder: Path) -> int:
    told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"\d+", told)
    return int(number[0]) if number else 0


def program_of(name: str) -> Path:
    """Return one of PostgreSQL's programs: a folder on the path may have links to some of them alone."""
    return (programs() / "postgres").resolve().with_name(name)


def server_user() -> dict[str, Any]:
    """Return the user that a server must be started by where root, which it refuses, starts it."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def end_with_parent() -> None:
    """Have a program that is about to begin end with the thread that starts it, however that ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
