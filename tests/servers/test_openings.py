"""What keeps a ledger in a server from being opened: told in words, with what to do, and without the password."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from itnio_nb import Ledger, LedgerError
from itnio_nb.ledger.database.postgres import fitness
from tests.support.cluster import Cluster
from tests.support.team import GRANTS, team_ledger

PASSWORD = "the-right-one"
WRONG = "the-wrong-one"
# Databases that a ledger cannot be opened in, by name: how each is made, and what is done in it then.
DATABASES = {
    "secret": ("", ""),
    "ascii": ("TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'", ""),
    "latin": ("TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'", ""),
    "closed": ("ALLOW_CONNECTIONS false", ""),
    "crowded": ("CONNECTION LIMIT 0", ""),
    "others": ("", "CREATE TABLE theirs (a int)"),
    "a_view": ("", "CREATE VIEW theirs AS SELECT 1 AS a"),
    "no_schema": ("", "DROP SCHEMA public"),
    "empty": ("", ""),
    "newer": ("", "UPDATE itnio_ledger SET schema = 99"),
    "older": ("", "UPDATE itnio_ledger SET schema = 6; GRANT SELECT ON ALL TABLES IN SCHEMA public TO walter"),
    "no_version": ("", "UPDATE itnio_ledger SET schema = 0"),
    "no_rights": ("", "SELECT 1"),
}
CASES = {
    "wrong password": ("walter:{wrong}@{place}/secret", "password authentication failed .* correct the password"),
    "no password": (
        "walter@{place}/secret",
        "asks for a password, and neither its URL, PGPASSWORD nor .pgpass has one",
    ),
    "no database": ("walter@{place}/nowhere", '"nowhere" does not exist.*: correct the name of the database'),
    "no role": ("nobody_known@{place}/empty", '"nobody_known" does not exist.*: correct the name'),
    "a group's role": ("itnio_operator@{place}/empty", "not permitted to log in.*: use a login of your own"),
    "not let in": ("walter@{place}/postgres", "permission denied for database.*docs/team/grants.sql"),
    "not from here": ("walter@{place}/barred", "no pg_hba.conf entry|pg_hba.conf rejects"),
    "closed": ("walter@{place}/closed", "not currently accepting connections"),
    "crowded": ("walter@{place}/crowded", "too many connections"),
    "ascii": ("postgres@{place}/ascii", "the encoding SQL_ASCII, and needs UTF8"),
    "latin": ("postgres@{place}/latin", "the encoding LATIN1, and needs UTF8"),
    "others' tables": ("postgres@{place}/others", "is a database, but not a ledger"),
    "others' view": ("postgres@{place}/a_view", "is a database, but not a ledger"),
    "no schema": ("postgres@{place}/no_schema", "no schema that this role may use"),
    "path to nowhere": ("postgres@{place}/empty?options=-csearch_path%3Dnowhere", "no schema that this role may use"),
    "no table yet": ("walter@{place}/empty", "no tables of this version, and the role walter may not make them"),
    "a newer version": ("postgres@{place}/newer", r"made by a newer itnio-nb \(schema 99\): upgrade this one"),
    "an older version": ("walter@{place}/older", "no tables of this version, and the role walter may not make them"),
    "no version": ("postgres@{place}/no_version", "has no version"),
    "no rights": ("walter@{place}/no_rights", "This role may not do that .*permission denied.*docs/teams.md"),
    "nobody there": ("walter@127.0.0.1:1/phones", "does not answer .*Connection refused"),
    "no such host": ("walter@nosuch.invalid/phones", "does not answer .*resolve host"),
    "no such socket": ("/phones?host=/nonexistent", "does not answer .*No such file"),
    "no such port": ("walter@127.0.0.1:99999/phones", "does not answer .*invalid port"),
    "no such option": ("walter@{place}/phones?nonsense=1", "is no address of a PostgreSQL server"),
    "no such setting": ("walter@{place}/empty?options=--nonsense%3D1", "unrecognized configuration parameter"),
    "half an address": ("[::1/phones", "is no address of a PostgreSQL server"),
}


@pytest.fixture(scope="module")
def cluster(cluster: Cluster) -> Cluster:
    cluster.sql(f"CREATE ROLE walter LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE itnio_operator")
    cluster.sql("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")
    rules = cluster.folder / "data" / "pg_hba.conf"
    rules.write_text(f"host barred all all reject\n{rules.read_text()}")
    cluster.reload()
    for name, (options, statements) in DATABASES.items():
        cluster.sql(f"CREATE DATABASE {name} {options}")
        if "itnio_ledger" in statements or name == "no_rights":
            Ledger(cluster.url(database=name)).close()
        if statements:
            cluster.sql(statements, name)
    return cluster


@pytest.fixture(autouse=True)
def _no_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    for name in ("PGPASSWORD", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", CASES)
def test_what_keeps_a_ledger_from_being_opened_is_told(name: str, cluster: Cluster) -> None:
    """In words that name the ledger, not the password; nothing is changed in any of the databases."""
    address, words = CASES[name]
    given = address.format(place=f"127.0.0.1:{cluster.port}", wrong=WRONG)
    with pytest.raises(LedgerError, match=words) as caught:
        Ledger(f"postgresql://{given}")
    assert WRONG not in f"{caught.value!r}{caught.value}"


def test_an_older_server_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its number, before anything is made."""
    monkeypatch.setattr(fitness, "_OLDEST", 99)
    with pytest.raises(LedgerError, match=r"the server is PostgreSQL \d\d, and 99 is the oldest that is supported"):
        Ledger(cluster.url(database="empty"))
    assert cluster.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace", "empty") == [(0,)]


@pytest.mark.parametrize("place", ["URL", "PGPASSWORD", ".pgpass"])
def test_the_right_password_opens_it_wherever_it_is_given(
    place: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And is in no text that the ledger makes."""
    cluster.sql("GRANT CREATE ON SCHEMA public TO walter", "secret")
    kept = tmp_path / "pgpass"
    if place == "PGPASSWORD":
        monkeypatch.setenv(place, PASSWORD)
    if place == ".pgpass":
        kept.write_text(f"127.0.0.1:{cluster.port}:secret:walter:{PASSWORD}\n")
        kept.chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(kept))
    with Ledger(cluster.url("walter", "secret", PASSWORD if place == "URL" else "")) as ledger:
        assert len(ledger.table) == 0
        shown = f"{ledger!r} {ledger.address} {ledger.database!r} {ledger.database.engine!r} {vars(ledger.database)}"
    assert PASSWORD not in shown


def test_two_that_open_an_empty_database_at_once(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """One has made the tables since the other one saw that there are none: both have the ledger."""
    cluster.sql("CREATE DATABASE at_once")
    url, place = cluster.url(database="at_once"), "itnio_nb.ledger.database.postgres.server.making_hindrance"
    look = fitness.making_hindrance

    def look_late(connection: sa.Connection) -> str:
        monkeypatch.setattr(place, look)
        Ledger(url).close()
        return look(connection)

    monkeypatch.setattr(place, look_late)
    with Ledger(url) as ledger:
        assert len(ledger.table) == 0


def test_all_roles_meet_in_the_schema_that_has_the_tables(cluster: Cluster) -> None:
    """Also one that has a schema of its own before it on the path: the same tables, under the same locks."""
    team = team_ledger(cluster, "shared")
    cluster.sql("CREATE SCHEMA anna AUTHORIZATION anna", "shared")
    with Ledger(team.operator) as ledger, ledger.database.transaction() as connection:
        [path] = connection.exec_driver_sql("SELECT current_schema()").one()
    assert path == "public"
    assert cluster.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'anna'::regnamespace", "shared") == [(0,)]


def test_a_ledger_in_a_schema_of_its_own_leaves_others_alone(cluster: Cluster) -> None:
    """A database that has other tables, where that is named in the path of the role; the rights are there, too."""
    cluster.sql("CREATE DATABASE mixed")
    cluster.sql(
        "CREATE TABLE theirs (a int); CREATE SCHEMA itnio; ALTER DATABASE mixed SET search_path = itnio", "mixed"
    )
    Ledger(cluster.url(database="mixed")).close()
    cluster.sql(GRANTS, "mixed")
    with Ledger(cluster.url("itnio_owner", "mixed")) as ledger:
        assert len(ledger.table) == 0
    schemas = "SELECT DISTINCT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'receipts'"
    assert cluster.sql(schemas, "mixed") == [("itnio",)]
    assert cluster.sql("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'theirs'", "mixed") == [
        ("postgres",)
    ]
