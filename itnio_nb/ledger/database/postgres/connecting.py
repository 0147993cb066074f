"""How a PostgreSQL server is reached: its address, the password, TLS, and what each session is set to."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from itnio_nb.api.account.secret import Secret, private_frames
from itnio_nb.errors import LedgerError
from itnio_nb.ledger.database.postgres.tls import is_local, verified

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgresql://", "postgres://")
_INSTALL = 'pip install "itnio-nb[postgres]"'
_NO_ADDRESS = (
    "ITNIO_LEDGER, or what Ledger() was given, is no address of a PostgreSQL server: write it as "
    "postgresql://user@host:5432/database, and @ : / ? # in a password as %40 %3A %2F %3F %23."
)
_CONNECT = 10  # seconds
# A peer that is gone is found out within 5 + 3 * 2 seconds, by the server and by this side.
_ALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
DEAD_AFTER = 11.0  # seconds without an answer after which either side takes the other one for gone
_SETTINGS = {
    **{f"tcp_{name}": str(value) for name, value in _ALIVE.items()},
    "tcp_user_timeout": "11s",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
    "jit": "off",  # compiling a query takes longer than ours take
}


class ServerAddress:
    """A PostgreSQL server and a database in it, as libpq's URL names it; a password is held apart and never shown.

        ServerAddress("postgresql://anna@db.example.com/phones").shown    # postgresql://db.example.com:5432/phones

    What the URL does not say comes from libpq's own places: `PGHOST`, `PGUSER`, `PGPASSWORD`, `.pgpass`, …; a password
    that none of them has comes from the keyring, see `itnio-nb ledger login`.
    TLS to any server that is not on this machine is verified, as libpq's `verify-full` does. Raises `LedgerError`.
    """

    @private_frames
    def __init__(self, url: str) -> None:
        psycopg = import_psycopg()
        try:
            self._options: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            raise LedgerError(_NO_ADDRESS) from None
        password = self._options.pop("password", None)
        self._password = None if password is None else Secret(password)
        self.has_password = password is not None  # in the URL
        defaults = {
            one.keyword.decode(): one.val.decode() for one in psycopg.pq.Conninfo.get_defaults() if one.val is not None
        }
        known = {**defaults, **self._options}
        self._user = str(known.get("user", ""))
        names = str(known.get("host") or known.get("hostaddr") or "").split(",")
        ports = str(known.get("port") or "5432").split(",")
        ports = ports * len(names) if len(ports) == 1 else ports
        places = ",".join(f"{name or 'localhost'}:{port}" for name, port in zip(names, ports, strict=False))
        database = str(known.get("dbname") or self._user)
        marked = [*(name[1:] for name in names), *([] if "%40" in url else [database])]
        if any("@" in one for one in marked) or not all(port.isdigit() for port in ports if port):
            raise LedgerError(_NO_ADDRESS)  # what stands there is the rest of a password
        self.shown = f"postgresql://{places}/{database}"
        self.account = f"postgresql://{self._user}@{places}/{database}"  # by which the keyring knows its password
        self.is_local = is_local(str(known.get("host") or ""), str(known.get("hostaddr") or ""))
        if not self.is_local or "service" in self._options:  # whose file is read when we connect
            self._options |= verified(self._options, self.shown)

    def __repr__(self) -> str:
        return f"ServerAddress({self.shown})"

    @private_frames
    def connect(self, *, autocommit: bool = False) -> psycopg.Connection[Any]:
        """Return a new connection, set up; raise `psycopg.Error` where there is none."""
        options = {
            "connect_timeout": _CONNECT,
            "application_name": "itnio-nb",
            **self._options,
            "client_encoding": "UTF8",
        }
        options |= {"keepalives": 1, **_ALIVE, "tcp_user_timeout": int(DEAD_AFTER * 1000)}
        connection = self._open(options)
        try:
            _set_up(connection)
        except BaseException:
            connection.close()
            raise
        connection.autocommit = autocommit
        return connection

    @private_frames
    def _open(self, options: dict[str, Any]) -> psycopg.Connection[Any]:
        """Connect; where the server asks for a password and libpq finds none, with that of the keyring."""
        library, password = import_psycopg(), self._password
        connection: psycopg.Connection[Any]
        if password is None:
            try:
                connection = library.connect(**options, autocommit=True)
            except library.OperationalError as error:
                if not (error.pgconn and error.pgconn.needs_password):
                    raise
            else:
                return connection
            password = self._kept_password()
        connection = library.connect(**options, autocommit=True, password=password.reveal())
        self._password = password
        return connection

    def _kept_password(self) -> Secret:
        """Return the password that the keyring has; raise `LedgerError` where it has none."""
        from itnio_nb.api.account.profiles import NoKeyringError, read_server_password

        try:
            password, why = read_server_password(self.account), "The keyring has none either."
        except NoKeyringError as error:
            password, why = None, str(error)
        if password is None:
            raise LedgerError(
                f"The ledger {self.shown} asks for a password, and neither its URL, PGPASSWORD nor .pgpass has one. "
                f"{why} itnio-nb ledger login {self.account} keeps it there."
            )
        return password

    @private_frames
    def try_password(self, password: Secret) -> bool:
        """Connect with a password; return whether the server has asked for it. Raise `LedgerError` if it refuses."""
        self._password = password
        try:
            with self.connect() as connection:
                return bool(connection.pgconn.used_password)
        except import_psycopg().Error as error:
            words = " ".join(str(error).split())
        raise LedgerError(f"Nothing was kept: {self.shown} could not be opened with that password ({words}).")


def _set_up(connection: psycopg.Connection[Any]) -> None:
    """Set what a session needs: a peer that is gone is found out soon, and nobody waits for ever."""
    names, values = list(_SETTINGS), list(_SETTINGS.values())
    connection.execute(
        "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS given(name, value)",
        (names, values),
    )
    # All in one schema: roles whose paths begin with different ones find the same tables, under the same locks.
    connection.execute(
        "SELECT set_config('search_path', coalesce((SELECT relnamespace::regnamespace::text FROM pg_class "
        "WHERE oid = to_regclass('itnio_ledger')), quote_ident(current_schema())), false) "
        "WHERE current_schema() IS NOT NULL"
    )
    # A server may be told to answer before a commit is on its disk: not to us. What waits for replicas too stays.
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )


def import_psycopg() -> Any:
    """Return the library, or raise `LedgerError` with how to install it."""
    try:
        import psycopg
        import psycopg.conninfo
    except ImportError as error:
        raise LedgerError(f"A ledger in PostgreSQL needs psycopg ({error}): {_INSTALL}") from None
    # It tells on standard error of connections that are gone: we tell of them ourselves.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    return psycopg
