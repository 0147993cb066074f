-- The rights of those who use one ledger. Run it in the ledger's database, as an administrator:
--
--     psql --dbname phones --file grants.sql
--
-- before the ledger is made, and again after it was made and after each upgrade of itnio-nb: it may be run at any time,
-- and as often as you like. Everything it grants is in the schema that is current in that session (`public`).
--
--   itnio_owner      makes and migrates the tables; nobody works as this role day by day
--   itnio_operator   all that runs need; adds receipts, and can neither change nor delete one
--   itnio_auditor    reads
--
-- People and machines have logins of their own in one of the last two, which make receipts tell who wrote them:
--
--     CREATE ROLE anna LOGIN IN ROLE itnio_operator;
--     CREATE ROLE internal_audit LOGIN IN ROLE itnio_auditor;

BEGIN;

DO $$ BEGIN
    IF to_regrole('itnio_owner') IS NULL THEN CREATE ROLE itnio_owner LOGIN; END IF;
    IF to_regrole('itnio_operator') IS NULL THEN CREATE ROLE itnio_operator NOLOGIN; END IF;
    IF to_regrole('itnio_auditor') IS NULL THEN CREATE ROLE itnio_auditor NOLOGIN; END IF;
END $$;

-- The database and its schema: who is in none of these roles cannot connect, and only the owner can make anything.
DO $$ BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC, itnio_operator, itnio_auditor', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO itnio_owner, itnio_operator, itnio_auditor', current_database());
    EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC, itnio_operator, itnio_auditor', current_schema());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO itnio_operator, itnio_auditor', current_schema());
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO itnio_owner', current_schema());
END $$;

-- Large objects are in no schema, and everybody may make them unless the functions are taken away.
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;

-- The tables, once they are there. What an earlier version of this file granted is taken away first.
DO $$
DECLARE
    one regclass;
BEGIN
    IF to_regclass('itnio_ledger') IS NULL THEN
        RAISE NOTICE 'No ledger is here yet: open it once as itnio_owner, then run this file again.';
        RETURN;
    END IF;
    FOR one IN
        SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
    LOOP
        IF (SELECT relkind = 'r' AND relowner <> 'itnio_owner'::regrole FROM pg_class WHERE oid = one) THEN
            EXECUTE format('ALTER TABLE %s OWNER TO itnio_owner', one);  -- made by an administrator
        END IF;
        EXECUTE format(
            'REVOKE ALL ON %s %s FROM PUBLIC, itnio_operator, itnio_auditor',
            CASE (SELECT relkind FROM pg_class WHERE oid = one) WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, one
        );
    END LOOP;
    EXECUTE format(
        'GRANT SELECT ON ALL TABLES IN SCHEMA %I TO itnio_operator, itnio_auditor', current_schema()
    );
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO itnio_operator', current_schema());

    -- Added, and never changed: accounts, groups, what was asked for, receipts. The number of a receipt comes from its
    -- sequence, and the role of an actor from the session: nobody can give another one.
    GRANT INSERT (base_url, api_key) ON accounts TO itnio_operator;
    GRANT INSERT (operator, machine, version) ON actors TO itnio_operator;
    GRANT INSERT (account_id, app_id, group_name) ON groups TO itnio_operator;
    GRANT INSERT ON run_groups, reset_phones TO itnio_operator;
    GRANT INSERT (run_id, actor_id) ON run_actors TO itnio_operator;
    GRANT INSERT (group_id, run_id, position, state, status, reason, advice, at, actor_id, ended_by)
        ON receipts TO itnio_operator;
    GRANT INSERT (run_id, position, state, status, reason, advice, at, actor_id) ON reset_receipts TO itnio_operator;

    -- A run's terms, note and end change while it is worked on; what was asked for does not.
    GRANT INSERT (name, account_id, fingerprint, contents, started, finished, note, verified, orders, source, "rows",
                  left_out, workers, rate, confirmed, next_turn, held_until, stops) ON runs TO itnio_operator;
    GRANT UPDATE (finished, note, verified, source, "rows", left_out, workers, rate, confirmed, next_turn, held_until,
                  stops) ON runs TO itnio_operator;
    GRANT INSERT (name, account_id, app_id, fingerprint, started, finished, note, owner, again)
        ON reset_runs TO itnio_operator;
    GRANT UPDATE (finished, note, owner) ON reset_runs TO itnio_operator;

    -- Who works on what, now: ends with a receipt, or with the session that it belongs to.
    GRANT INSERT, DELETE ON claims, run_owners TO itnio_operator;
    GRANT UPDATE (stopping) ON run_owners TO itnio_operator;
END $$;

COMMIT;
