"""The rights of docs/team/grants.sql, tried with SQL: an auditor writes nothing, an operator changes no receipt."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from itnio_nb import Client, Ledger, Sandbox, make_plan, reset_passwords, submit_plan
from itnio_nb.ledger.schema.tables import metadata
from tests.support.cluster import Cluster
from tests.support.factories import many_orders
from tests.support.team import GRANTS, Team, team_ledger

TABLES = sorted(table.name for table in metadata.tables.values())
COLUMNS = [(table.name, column.name) for table in metadata.sorted_tables for column in table.columns]
SEQUENCES = [f"{name}_id_seq" for name in TABLES if "id" in metadata.tables[name].c]
# All that is in the ledger's schema, and what may be done with it by whom: nothing of that may be another thing later.
_CATALOGUE = """
    SELECT 'table', relname::text, relkind::text, relacl::text, relowner::text, relhasrules::text, relhastriggers::text
        FROM pg_class WHERE relnamespace = 'public'::regnamespace OR relpersistence = 't'
    UNION ALL SELECT 'trigger', tgname::text, tgenabled::text, tgrelid::text, '', '', '' FROM pg_trigger
    UNION ALL SELECT 'column', attrelid::text, attname::text, attacl::text, attnotnull::text, '', '' FROM pg_attribute
        WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) AND attnum > 0
    UNION ALL SELECT 'function', proname::text, proacl::text, '', '', '', '' FROM pg_proc
        WHERE pronamespace <> 'pg_toast'::regnamespace
    UNION ALL SELECT 'schema', nspname::text, nspacl::text, '', '', '', '' FROM pg_namespace
        WHERE nspname NOT LIKE 'pg_temp%' AND nspname NOT LIKE 'pg_toast%'
    UNION ALL SELECT 'database', datname::text, datacl::text, '', '', '', '' FROM pg_database
    UNION ALL SELECT 'role', rolname::text, rolsuper::text, rolcreaterole::text, rolcanlogin::text, '', '' FROM pg_roles
    UNION ALL SELECT 'large object', oid::text, '', '', '', '', '' FROM pg_largeobject_metadata
    UNION ALL SELECT 'comment', objoid::text, objsubid::text, description, '', '', '' FROM pg_description
    UNION ALL SELECT 'extension', extname::text, '', '', '', '', '' FROM pg_extension
    UNION ALL SELECT 'setting', setdatabase::text, setrole::text, setconfig::text, '', '', '' FROM pg_db_role_setting
    ORDER BY 1, 2, 3, 4, 5, 6, 7
"""
# What nobody but the owner, or the server's administrator, may do: each is refused to both roles.
NOT_THEIRS = [
    "CREATE TABLE mine (a int)",
    "CREATE TEMP TABLE mine (a int)",
    "CREATE TABLE mine AS SELECT * FROM receipts",
    "SELECT * INTO mine FROM receipts",
    "SELECT * INTO TEMP mine FROM receipts",
    "CREATE VIEW mine AS SELECT * FROM receipts",
    "CREATE MATERIALIZED VIEW mine AS SELECT * FROM receipts",
    "CREATE SEQUENCE mine",
    "CREATE SCHEMA mine",
    "CREATE TYPE mine AS ENUM ('a')",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE PROCEDURE mine() LANGUAGE sql AS 'SELECT 1'",
    "DO $$ BEGIN EXECUTE 'DELETE FROM receipts'; END $$",
    "DO $$ BEGIN EXECUTE 'CREATE TABLE mine (a int)'; END $$",
    "CREATE EXTENSION pgcrypto",
    "CREATE DATABASE mine",
    "CREATE ROLE mine",
    "CREATE PUBLICATION mine FOR ALL TABLES",
    "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE INDEX mine ON receipts (at)",
    "CREATE TRIGGER mine BEFORE UPDATE ON receipts EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE mine AS ON INSERT TO receipts DO INSTEAD NOTHING",
    "CREATE POLICY mine ON receipts",
    "CREATE STATISTICS mine ON group_id, run_id FROM receipts",
    "COMMENT ON TABLE receipts IS 'mine'",
    "LOCK TABLE receipts IN ACCESS EXCLUSIVE MODE",
    "SELECT setval('receipts_id_seq', 1)",
    "SELECT lo_create(4711)",
    "SELECT lo_creat(-1)",
    "SELECT lo_from_bytea(4711, 'mine')",
    "SELECT lo_import('/etc/hostname')",
    "COPY receipts TO '/tmp/mine'",
    "COPY receipts TO PROGRAM 'cat'",
    "SET session_replication_role = replica",
    "SET ROLE itnio_owner",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION itnio_owner",
    "GRANT itnio_owner TO CURRENT_USER",
    "GRANT ALL ON receipts TO CURRENT_USER",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE itnio_owner PASSWORD 'mine'",
    "ALTER DATABASE phones SET default_transaction_read_only = on",
    "ALTER SCHEMA public RENAME TO mine",
    "ALTER SEQUENCE receipts_id_seq RESTART",
    "ALTER TABLE receipts DISABLE TRIGGER ALL",
    "ALTER TABLE receipts DISABLE TRIGGER USER",
    "ALTER TABLE receipts ADD COLUMN mine int",
    "ALTER TABLE receipts DROP COLUMN reason",
    "ALTER TABLE receipts RENAME TO mine",
    "ALTER TABLE receipts OWNER TO CURRENT_USER",
    "ALTER TABLE receipts ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE receipts SET UNLOGGED",
    "ALTER TABLE receipts ALTER COLUMN state SET DEFAULT 'created'",
    "DROP TABLE receipts CASCADE",
    "DROP INDEX receipts_by_run",
    "DROP SCHEMA public CASCADE",
    "DROP DATABASE postgres",
    "DROP OWNED BY itnio_owner",
    "REASSIGN OWNED BY itnio_owner TO CURRENT_USER",
    "CLUSTER receipts USING receipts_pkey",
    "REINDEX TABLE receipts",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    "SELECT pg_reload_conf()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_promote()",
    "SELECT pg_create_restore_point('mine')",
    "UPDATE pg_class SET relacl = NULL WHERE relname = 'receipts'",
    "DELETE FROM pg_trigger",
]
# How a row of any table could be changed or deleted, and held.
CHANGES = [
    "UPDATE {table} SET {column} = {column}",
    "DELETE FROM {table}",
    "TRUNCATE {table} CASCADE",
    "WITH gone AS (DELETE FROM {table} RETURNING *) SELECT * FROM gone",
    "EXPLAIN ANALYZE DELETE FROM {table}",
    "MERGE INTO {table} USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    "SELECT * FROM {table} FOR UPDATE",
    "SELECT * FROM {table} FOR NO KEY UPDATE",
    "SELECT * FROM {table} FOR KEY SHARE",
    "LOCK TABLE {table} IN EXCLUSIVE MODE",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "DROP TABLE {table} CASCADE",
]
ADDITIONS = [
    "INSERT INTO {table} SELECT * FROM {table}",
    "INSERT INTO {table} SELECT * FROM {table} ON CONFLICT DO NOTHING",
    "INSERT INTO {table} DEFAULT VALUES",
    "COPY {table} FROM STDIN",
]


@pytest.fixture(scope="module")
def team(cluster: Cluster) -> Team:
    """A ledger in which each table has rows."""
    made = team_ledger(cluster)
    with Sandbox() as sandbox, Client(sandbox.account) as client, Ledger(made.operator) as ledger:
        run = submit_plan(make_plan(many_orders(3), client, ledger), client, ledger).wait()
        reset_passwords(client, ledger, sandbox.app_id, run.table).wait()
    with psycopg.connect(made.operator) as connection:
        claim = "INSERT INTO claims SELECT group_id, run_id, position, 'nobody', 'now' FROM run_groups LIMIT 1"
        connection.execute(claim)
        connection.execute("INSERT INTO run_owners (run_id, owner) SELECT id, 'nobody' FROM runs")
    return made


def everything(cluster: Cluster) -> list[object]:
    """All rows of the ledger and of its catalogue."""
    rows = " UNION ALL ".join(f"SELECT '{name}', t::text FROM {name} AS t" for name in TABLES)
    return [cluster.sql(f"{rows} ORDER BY 1, 2", "phones"), cluster.sql(_CATALOGUE, "phones")]


def refused(address: str, statement: str) -> str:
    """Execute what must be refused for want of a right; return the server's words, "" where it did it."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.add_notice_handler(lambda one: notices.append(str(one.message_primary)))
        notices: list[str] = []
        try:
            with connection.cursor() as cursor:
                if "FROM STDIN" in statement:
                    with cursor.copy(statement):
                        pass
                else:
                    cursor.execute("BEGIN" if statement.startswith("LOCK") else "SELECT 1")
                    cursor.execute(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            return str(error)
        return "; ".join(one for one in notices if "no privileges" in one)


@pytest.mark.parametrize("statement", NOT_THEIRS)
def test_neither_role_makes_changes_or_ends_anything(statement: str, team: Team) -> None:
    """No relation, function, large object or setting; nothing of the owner's; nobody else's session."""
    before = everything(team.cluster)
    for address in (team.auditor, team.operator):
        assert refused(address, statement), statement
    assert everything(team.cluster) == before


@pytest.mark.parametrize("table", TABLES)
def test_an_auditor_reads_and_writes_nothing(table: str, team: Team) -> None:
    """Every table, with every verb, and each of its columns."""
    before = everything(team.cluster)
    columns = [column for name, column in COLUMNS if name == table]
    with psycopg.connect(team.auditor) as connection:
        rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()
    assert rows
    for verb in [*CHANGES, *ADDITIONS]:
        for column in columns if "{column}" in verb else columns[:1]:
            assert refused(team.auditor, of(verb, table, column)), verb
    for column in columns:
        assert refused(team.auditor, of("INSERT INTO {table} ({column}) SELECT {column} FROM {table}", table, column))
    assert everything(team.cluster) == before


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_an_auditor_moves_no_sequence(sequence: str, team: Team) -> None:
    """A number that is taken is a write too."""
    before = everything(team.cluster)
    for call in ("SELECT nextval('{}')", "SELECT setval('{}', 4711)", "SELECT setval('{}', 4711, false)"):
        assert refused(team.auditor, call.format(sequence))
    assert everything(team.cluster) == before


@pytest.mark.parametrize(
    "table",
    [*("receipts", "reset_receipts", "actors", "run_actors"), *("accounts", "groups", "run_groups", "itnio_ledger")],
)
def test_an_operator_changes_no_receipt_nor_what_it_refers_to(table: str, team: Team) -> None:
    """Neither a row nor a column of it, in whatever way."""
    before = everything(team.cluster)
    columns = [column for name, column in COLUMNS if name == table]
    for verb in CHANGES:
        for column in columns if "{column}" in verb else columns[:1]:
            assert refused(team.operator, of(verb, table, column)), verb
    for column in columns if "id" in columns else ():
        changed = "INSERT INTO {table} SELECT * FROM {table} ON CONFLICT (id) DO UPDATE SET {column} = NULL"
        assert refused(team.operator, of(changed, table, column))
    assert everything(team.cluster) == before


@pytest.mark.parametrize("column", ["id", "name", "account_id", "fingerprint", "contents", "started", "orders"])
def test_an_operator_does_not_change_what_a_run_was_asked_for(column: str, team: Team) -> None:
    """Its terms, its note and its end are what changes while it is worked on."""
    before = everything(team.cluster)
    assert refused(team.operator, of("UPDATE runs SET {column} = {column}", "runs", column))
    assert refused(team.operator, "DELETE FROM runs")
    assert refused(team.operator, "TRUNCATE runs CASCADE")
    assert everything(team.cluster) == before


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO receipts SELECT * FROM receipts LIMIT 1",
        "INSERT INTO receipts (id) VALUES (4711)",
        "INSERT INTO receipts (id, group_id, state) OVERRIDING SYSTEM VALUE SELECT -1, 1, 'created' FROM receipts",
        "INSERT INTO actors (operator, machine, version, role) VALUES ('boss', 'pc', '1', 'boss')",
        "INSERT INTO actors (id, operator, machine, version) VALUES (4711, 'boss', 'pc', '1')",
        "INSERT INTO itnio_ledger VALUES (99)",
        "UPDATE itnio_ledger SET schema = 99",
        "INSERT INTO reset_receipts (id) VALUES (4711)",
        "SELECT setval('receipts_id_seq', 4711)",
        "COPY receipts FROM STDIN",
        "COPY actors FROM STDIN",
    ],
)
def test_an_operator_forges_neither_number_nor_role(statement: str, team: Team) -> None:
    """They come from the sequence, and from the session."""
    before = everything(team.cluster)
    assert refused(team.operator, statement)
    assert everything(team.cluster) == before


def test_the_role_of_an_actor_is_that_of_the_login(team: Team) -> None:
    """Also where somebody works under the role of the group."""
    with psycopg.connect(team.operator) as connection:
        connection.execute("SET ROLE itnio_operator")
        connection.execute("INSERT INTO actors (operator, machine, version) VALUES ('boss', 'pc', '1')")
        [role] = connection.execute("SELECT role FROM actors WHERE operator = 'boss'").fetchone() or [None]
        connection.rollback()
    assert role == "anna"


def test_whoever_is_in_none_of_the_roles_is_not_let_in(team: Team) -> None:
    team.cluster.sql("CREATE ROLE nobody_known LOGIN")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(team.cluster.url("nobody_known", "phones"))


def test_the_file_may_be_run_again_and_takes_away_what_was_granted_besides(team: Team) -> None:
    """After each upgrade; nothing is left of what somebody added by hand."""
    before = everything(team.cluster)
    team.cluster.sql(
        "GRANT ALL ON receipts TO itnio_operator, PUBLIC; GRANT UPDATE (state) ON receipts TO itnio_auditor; "
        "GRANT ALL ON SEQUENCE receipts_id_seq TO itnio_operator; GRANT ALL ON SCHEMA public TO PUBLIC; "
        "GRANT ALL ON DATABASE phones TO PUBLIC",
        "phones",
    )
    team.cluster.sql(GRANTS, "phones")
    team.cluster.sql(GRANTS, "phones")
    assert everything(team.cluster) == before


def test_tables_that_an_administrator_made_become_the_owners(cluster: Cluster) -> None:
    """An upgrade is made by the owner, who must have them then."""
    cluster.sql("CREATE DATABASE made_by_another")
    Ledger(cluster.url(database="made_by_another")).close()
    cluster.sql(GRANTS, "made_by_another")
    owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert cluster.sql(owners, "made_by_another") == [("itnio_owner",)]


def of(text: str, table: str, column: str) -> str:
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
    return sql.SQL(text).format(**names).as_string()
