"""The sandbox: the stand-in's endpoints on a port of 127.0.0.1, with accounts and phones of their own."""

from __future__ import annotations

import os
import threading
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

from itnio_nb.api.account.account import Account
from itnio_nb.sandbox.endpoints import Endpoints
from itnio_nb.sandbox.server import LoopbackServer
from itnio_nb.sandbox.store import Store, new_key

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "the sandbox"  # of its own account: others find it in their settings


@dataclass(kw_only=True, repr=False, eq=False)
class Sandbox(Endpoints):
    """The API on a free port of 127.0.0.1, with an account of its own.

        with Sandbox() as sandbox:
            client = Client(sandbox.account)
            client.create_phones(PhoneGroup("sales", "desk", 30, "861000000", sandbox.app_id))
            sandbox.phones          # the 30 phones, one row each

    In a notebook, `Sandbox().start()` and `stop()`. Clients in any language can use it: `base_url` ends in `/voice`; a
    browser shows what exists at the same address without it. Accounts and phones live in memory, or also in a `file`
    that another sandbox can open later. Raises `ValueError` for a file that cannot be used. `sipAdd`, `sipQuery` and
    `sipReset` are answered below `/voice`, `/v3/voice` and `/`. Not emulated: a rate limit (none is published), TLS.
    What can be set, before or while it runs:

    `latency`            seconds before each answer
    `clock_offset`       seconds by which the server's clock is ahead (a timestamp may be 1,800 s off: -16)
    `allowed_addresses`  client addresses that may ask, None for all (others: -2)
    `cap`                phones that one application can hold, None for no cap (above: -23)
    `broken`             True: every request is answered -18 and does nothing
    `app_ids`            application ids that exist, None for any (others: -22)
    `lenient_names`      True: names of 1–32 characters, as the vendor's own samples send them
    `ignores_case`       True: names that differ in case or in blanks at their end are the same name (-20)
    `newest_first`       True: sipQuery begins with the phones that were created last
    `page_limit`         phones that sipQuery gives in one page at most
    `writes_name`        how a phone is named: a function of the phone name that was asked for and its number
    `writes_number`      how a display number is kept and shown: a function of the one that was asked for
    `faults`             what goes wrong: `Faults(...)`, or a text such as "drop-after,none,half" or "all=0.33"
    `allowed_hosts`      names in a `Host` header that are answered to besides this machine's (it listens on loopback)
    `stall`              seconds for which a stalled request is kept waiting

    `served` counts the answers by (endpoint, status), such as `served["sipAdd", "0"]`; an answer that a fault replaced
    is counted under the fault. `log` has the requests in order, the last 100,000 at least: `endpoint group app_id fault
    status at`.
    """

    app_id: ClassVar = "4luaKsL2"

    port: int = field(default=0, kw_only=False)
    api_key: InitVar[str | None] = None
    api_secret: InitVar[str | None] = None
    file: str | os.PathLike[str] | None = None

    def __post_init__(self, api_key: str | None, api_secret: str | None) -> None:
        super().__post_init__()
        self._store = Store(self.file)
        self._server: LoopbackServer | None = None
        self._key = api_key or next(iter(self._store.secrets), None) or new_key()
        try:
            self._store.add_account(self._key, api_secret)
        except Exception:
            self._store.close()  # it holds the file
            raise

    def start(self) -> Self:
        """Listen; after `stop()`, at the same port as before."""
        if self._server is None:
            if self._store.closed:
                self._store = Store(self.file)
            self._server = LoopbackServer(self.port, self.answer, self.now)
            self.port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, args=(0.02,), name="sandbox", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening, cut all connections and release the file; the phones can still be read."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut_connections()
            self._server = None
        with self._lock:
            self._store.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        phones = sum(len(held.phones) for held in self._store.applications.values())
        return f"Sandbox({'running' if self._server else 'stopped'}, {phones:,} phones)"

    @property
    def base_url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:40123/voice`."""
        if not self.port:
            raise RuntimeError("The sandbox has no address yet: start() it, or use it in a with statement.")
        return f"http://127.0.0.1:{self.port}/voice"

    @property
    def account(self) -> Account:
        """The account that it accepts; the first of several."""
        return Account(self._key, self._store.secrets[self._key], self.base_url, source=SOURCE)

    @property
    def accounts(self) -> list[Account]:
        """Every account that it accepts."""
        return [Account(key, secret, self.base_url) for key, secret in self._store.secrets.items()]

    def add_account(self, api_key: str | None = None, api_secret: str | None = None) -> Account:
        """Add an account with applications and phones of its own, or change the secret of one; return it."""
        key = api_key or new_key()
        with self._lock:
            self._store.add_account(key, api_secret)
        return Account(key, self._store.secrets[key], self.base_url)

    @property
    def phones(self) -> pd.DataFrame:
        """The phones of all accounts, one row each: `groupName phoneName account password displayNum appId`."""
        import pandas as pd

        columns = ["groupName", "phoneName", "account", "password", "displayNum", "appId"]
        with self._lock:
            applications = self._store.applications.items()
            rows = [{**phone, "appId": app_id} for (_, app_id), held in applications for phone in held.phones]
        return pd.DataFrame(rows, columns=columns, dtype=object)

    def delete_group(self, app_id: str, group_name: str) -> None:
        """Delete a group and its phones, as the vendor's console can and the API cannot; both names are free again.

        This and the next two act on the first account. Raises `KeyError` for a group or phone that does not exist.
        """
        with self._lock:
            self._store.delete_group(self._key, app_id, group_name)

    def edit_phone(self, app_id: str, phone_name: str, **fields: str) -> None:
        """Overwrite fields of one phone: `edit_phone("4luaKsL2", "desk-1", groupName="other")` moves it."""
        with self._lock:
            self._store.edit_phone(self._key, app_id, phone_name, fields)

    def hide_group(self, app_id: str, group_name: str, listings: int) -> None:
        """Leave a group out of the next `listings` listings, as a server does whose index is behind."""
        with self._lock:
            self._hidden[self._key, app_id][group_name] = listings
