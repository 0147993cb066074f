"""Why a PostgreSQL server does not let us in, or does not do what it was asked for: in words, with what to do next."""

from __future__ import annotations

from itnio_nb.errors import LedgerError, LostLedgerError

# States (https://www.postgresql.org/docs/current/errcodes-appendix.html) of a server that may answer again by itself:
# no connection, no more connections or room, shut down, starting, standing by, a lock that others hold.
_PASSING = ("08", "53", "57", "40", "55", "25006", "58")
_NOT_ALLOWED = "42501"
# Until a session is there, libpq gives words alone, its own and the server's. What a person has to mend, by a part of
# them; in another language the words stand without the advice.
_ADVICE = {
    "password authentication failed": "correct the password in PGPASSWORD, ~/.pgpass or the address, or the role",
    "no password supplied": "give the password in PGPASSWORD or in ~/.pgpass, which must be readable by you alone",
    "no pg_hba.conf entry": "have the server's administrator let this role in from here, see docs/teams.md",
    "permission denied for database": "have the administrator run docs/team/grants.sql, or grant the role its group",
    "is not permitted to log in": "use a login of your own that is in this role, see docs/teams.md",
    "does not support SSL": "have the administrator turn on ssl there: nothing is sent to another machine in the open",
    "does not match host name": "write the name that the certificate has, or have one made for this name",
    "certificate verify failed": "name the authority that signed the server's certificate: sslrootcert=/path/root.crt, "
    "or have an expired one renewed",
    "root certificate file": "name a file that is there: sslrootcert=/path/to/root.crt",
    "SSL error": "look at the server's certificate and at sslrootcert, see docs/teams.md",
    '" does not exist': "correct the name of the database or of the role, or have it made, see docs/teams.md",
    "unsupported startup parameter": "take it out of the address, or have the pooler pass it on",
}


def error_of(address: str, error: BaseException | None) -> LedgerError | None:
    """Return what to raise for an error of psycopg, None where the ledger simply cannot be used.

    A server that cannot be reached, whatever keeps it from letting us in, is a lost one: a run that has begun waits
    until somebody has mended that.
    """
    state = str(getattr(error, "sqlstate", None) or "")
    words = " ".join(str(error).split())
    is_lost = not state and type(error).__name__ in ("OperationalError", "ConnectionTimeout")
    if is_lost and (advice := next((_ADVICE[part] for part in _ADVICE if part in words), "")):
        return LostLedgerError(
            f"The ledger {address} cannot be reached ({words}): {advice}. Nothing is sent without a ledger."
        )
    if is_lost or state.startswith(_PASSING):
        return LostLedgerError(f"The ledger {address} does not answer ({words}). Nothing is sent without a ledger.")
    if state == _NOT_ALLOWED:
        return LedgerError(f"This role may not do that in the ledger {address} ({words}): see docs/teams.md.")
    return None
