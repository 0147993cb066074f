"""A pooler before a ledger's server: one that keeps sessions works, one that shares them is refused at opening."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg
import pytest

from itnio_nb import Client, Ledger, LedgerError, make_plan, submit_plan
from tests.support.cluster import Cluster, free_port, new_folder, server_user
from tests.support.factories import many_orders
from tests.support.required import program


@pytest.fixture(scope="module")
def cluster(cluster: Cluster) -> Cluster:
    cluster.sql("CREATE DATABASE phones")
    return cluster


@contextmanager
def pooler(cluster: Cluster, mode: str, **settings: object) -> Iterator[str]:
    """The address of the ledger through PgBouncer in one of its modes."""
    path = program("pgbouncer", "pgbouncer")
    with new_folder() as folder:
        port, ini = free_port(), folder / "pgbouncer.ini"
        own = {"listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "any"}
        own |= {"pool_mode": mode, "logfile": folder / "log", "pidfile": folder / "pid"} | settings
        lines = [f"* = host=127.0.0.1 port={cluster.port} user=postgres", "[pgbouncer]"]
        ini.write_text("\n".join(["[databases]", *lines, *(f"{name} = {value}" for name, value in own.items())]))
        with subprocess.Popen([path, "-q", ini], **server_user()) as process:
            try:
                _wait_for(f"postgresql://postgres@127.0.0.1:{port}/phones", process)
                yield f"postgresql://postgres@127.0.0.1:{port}/phones"
            finally:
                process.send_signal(signal.SIGKILL)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while True:
        assert process.poll() is None
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            assert time.monotonic() < until
            time.sleep(0.02)
        else:
            return


def busy(address: str, number: int) -> None:
    """Have the pooler keep so many sessions of the server that nobody uses."""
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(psycopg.connect(address)).execute("SELECT 1")


@pytest.mark.parametrize("idle", range(6))
@pytest.mark.parametrize("robin", [0, 1])
def test_a_pooler_that_shares_sessions_among_transactions_is_refused(cluster: Cluster, robin: int, idle: int) -> None:
    """However many it has, and in whatever order it gives them out."""
    with pooler(cluster, "transaction", server_round_robin=robin) as address:
        busy(address, idle)
        for _ in range(3):
            with pytest.raises(LedgerError, match=r"a pooler in transaction or statement mode .* let it pool sessions"):
                Ledger(address)


def test_one_whose_pool_has_a_single_session_is_refused_at_once(cluster: Cluster) -> None:
    """Nobody waits for a session that somebody has."""
    with (
        pooler(cluster, "transaction", default_pool_size=1) as address,
        pytest.raises(LedgerError, match="a pooler in transaction or statement mode"),
    ):
        Ledger(address)


def test_a_pooler_that_shares_sessions_among_statements_is_refused(cluster: Cluster) -> None:
    with (
        pooler(cluster, "statement") as address,
        pytest.raises(LedgerError, match="a pooler in transaction or statement mode"),
    ):
        Ledger(address)


def test_one_that_others_use_meanwhile_is_refused(cluster: Cluster) -> None:
    """Their transactions come between ours."""
    with pooler(cluster, "transaction") as address, ThreadPoolExecutor(6) as others:
        over = [False]

        def work() -> None:
            with psycopg.connect(address, autocommit=True, prepare_threshold=None) as connection:
                while not over[0]:
                    connection.execute("SELECT pg_sleep(0.001)")

        for _ in range(6):
            others.submit(work)
        try:
            for _ in range(10):
                with pytest.raises(LedgerError, match="a pooler in transaction or statement mode"):
                    Ledger(address)
        finally:
            over[0] = True


def test_a_pooler_that_keeps_sessions_works(cluster: Cluster, client: Client) -> None:
    """A run from end to end; an owner's life is its session's, through the pooler too."""
    with pooler(cluster, "session") as address, Ledger(address) as ledger:
        run = submit_plan(make_plan(many_orders(20), client, ledger), client, ledger).wait()
        assert run.counts["created"] == 20
        owner = ledger.run_control.new_owner()
        assert ledger.database.are_alive([owner.token]) == {owner.token}
        owner.release()
        with Ledger(cluster.url(database="phones")) as straight:
            until = time.monotonic() + 10
            while straight.database.are_alive([owner.token]):
                assert time.monotonic() < until
                time.sleep(0.01)
