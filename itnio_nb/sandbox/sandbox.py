"""A stand-in for the ITNIO Voice API on 127.0.0.1, for rehearsals, demonstrations and tests.

It obeys the API document, not our client: its signature, limits and statuses are its own reading of it.
It does not emulate: `sipReset`, a rate limit (none is published), TLS.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import string
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Self

from itnio_nb.api.account import Account
from itnio_nb.sandbox.endpoints import (
    REASONS,
    StatusError,
    halved,
    is_digits,
    json_object,
    name_of,
    required,
    whole_number,
)
from itnio_nb.sandbox.faults import CLOCK_JUMP, LATE_LISTINGS, Faults, Served, apply_fault, performs_work, status_for
from itnio_nb.sandbox.server import LoopbackServer, Reply, Request
from itnio_nb.sandbox.store import Store

if TYPE_CHECKING:
    import pandas as pd


# A page of another site may reach this port through a name of its own: it is not answered.
_HOSTS = ("", "127.0.0.1", "localhost", "[::1]")
_ALPHABET = string.ascii_letters + string.digits


class Sandbox:
    """The API on a free port of 127.0.0.1, with an account of its own.

        with Sandbox() as sandbox:
            client = Client(sandbox.account)
            client.create_phones(PhoneGroup("sales", "desk", 30, "861000000", sandbox.app_id))
            sandbox.phones          # the 30 phones, one row each

    In a notebook, `Sandbox().start()` and `stop()`. Any language's client can use it: `base_url` ends in
    `/voice`; a browser shows what exists at the same address without `/voice`. Its phones and accounts live
    in memory, or in a `file` too: opened again with that file, they are all there. Raises `ValueError` for a
    file that cannot be used. What can be set, before or while it runs:

    `latency`            seconds before each answer
    `clock_offset`       seconds by which the server's clock is ahead (a timestamp may be 1,800 s off: -16)
    `allowed_addresses`  client addresses that may ask, None for all (others: -2)
    `cap`                phones that one application can hold, None for no cap (above: -23)
    `broken`             True: every sipAdd and sipQuery answers -18 and does nothing
    `app_ids`            application ids that exist, None for any (others: -22)
    `lenient_names`      True: names of 1–32 characters, as the vendor's own samples send them
    `faults`             what goes wrong with requests: `Faults(...)`, or a text such as "drop-after,none,half"
                         or "all=0.33" (see `itnio_nb.faults`); None: nothing
    `stall`              seconds for which a stalled request is kept waiting

    `served` counts the answers by (endpoint, status), such as `served["sipAdd", "0"]`; one that a fault took the place
    of is counted under the fault. `log` has every request in order: `endpoint group app_id fault status at`.
    """

    app_id = "4luaKsL2"

    def __init__(
        self,
        port: int = 0,
        *,
        latency: float = 0.0,
        clock_offset: float = 0.0,
        allowed_addresses: Collection[str] | None = None,
        cap: int | None = None,
        app_ids: Collection[str] | None = None,
        lenient_names: bool = False,
        api_key: str | None = None,
        api_secret: str | None = None,
        file: str | os.PathLike[str] | None = None,
        faults: Faults | str | None = None,
        stall: float = 60.0,
    ) -> None:
        self.latency = latency
        self.clock_offset = clock_offset
        self.allowed_addresses = allowed_addresses
        self.cap = cap
        self.app_ids = app_ids
        self.lenient_names = lenient_names
        self.broken = False
        self.faults = faults
        self.stall = stall
        self.served: Counter[tuple[str, str]] = Counter()
        self.log: list[Served] = []
        self._jumped = False  # whether a fault has put the clock off
        self._hidden: dict[tuple[str, str], Counter[str]] = {}  # groups that so many listings do not show
        self._port = port
        self._lock = threading.Lock()
        self._file = file
        self._store = Store(file)
        known = next(iter(self._store.secrets), None)
        self._key = api_key or known or _random_text()
        try:
            self._add_account(self._key, api_secret)
        except Exception:
            self._store.close()  # it holds the file
            raise
        self._server: LoopbackServer | None = None
        self._stopped = False

    def start(self) -> Self:
        """Listen; the port stays the same when it is started again after `stop()`."""
        if self._server is None:
            if self._stopped and self._file is not None:
                self._store = Store(self._file)
            self._server = LoopbackServer(self._port, self._answer, self._now)
            self._port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, args=(0.02,), name="sandbox", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening, cut all connections, let go of the file; the phones stay until this object goes."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut_connections()
            self._server = None
        self._stopped = True
        with self._lock:
            self._store.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        phones = sum(len(held.records) for held in self._store.applications.values())
        return f"Sandbox({'running' if self._server else 'stopped'}, {phones:,} phones)"

    @property
    def base_url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:40123/voice`."""
        if not self._port:
            raise RuntimeError("The sandbox has no address yet: start() it, or use it in a with statement.")
        return f"http://127.0.0.1:{self._port}/voice"

    @property
    def page_url(self) -> str:
        """Where a browser shows what exists in it, such as `http://127.0.0.1:40123/`."""
        return self.base_url.removesuffix("voice")

    @property
    def account(self) -> Account:
        """The account that it accepts; the first, where it has several."""
        return Account(self._key, self._store.secrets[self._key], self.base_url)

    @property
    def accounts(self) -> list[Account]:
        """Every account that it accepts."""
        return [Account(key, secret, self.base_url) for key, secret in self._store.secrets.items()]

    def add_account(self, api_key: str | None = None, api_secret: str | None = None) -> Account:
        """Open another account, whose applications and phones are its own, and return it."""
        key = api_key or _random_text()
        with self._lock:
            self._add_account(key, api_secret)
        return Account(key, self._store.secrets[key], self.base_url)

    def delete_group(self, app_id: str, group_name: str) -> None:
        """Delete the phones of a group, as the vendor's console can and the API cannot; both names are free again.

        This and the next two act on the first account. Raises `KeyError` for a group or phone that does not exist.
        """
        with self._lock:
            if group_name not in self._store.application(self._key, app_id).groups:
                raise KeyError(group_name)
            self._store.delete_group(self._key, app_id, group_name)

    def edit_phone(self, app_id: str, phone_name: str, **fields: str) -> None:
        """Overwrite fields of one phone, such as `edit_phone("4luaKsL2", "desk-1", password="s3cret")`.

        With `groupName="other"` the phone moves to another group.
        """
        with self._lock:
            if not any(
                phone["phoneName"] == phone_name for phone in self._store.application(self._key, app_id).records
            ):
                raise KeyError(phone_name)
            self._store.edit_phone(self._key, app_id, phone_name, fields)

    def hide_group(self, app_id: str, group_name: str, listings: int) -> None:
        """Leave a group out of the next `listings` listings, as a server does whose index is behind."""
        with self._lock:
            self._hide(self._key, app_id, group_name, listings)

    def _hide(self, key: str, app_id: str, group_name: str, listings: int) -> None:
        self._hidden.setdefault((key, app_id), Counter())[group_name] = listings

    def _add_account(self, key: str, secret: str | None) -> None:
        account = Account(key, secret or self._store.secrets.get(key) or _random_text())  # refuses what no key has
        self._store.add_account(key, account.api_secret.reveal())

    @property
    def phones(self) -> pd.DataFrame:
        """Every phone that exists in it, whoever's it is: `groupName phoneName account password displayNum appId`."""
        import pandas as pd

        columns = ["groupName", "phoneName", "account", "password", "displayNum", "appId"]
        with self._lock:
            held = [(app_id, held.records) for (_, app_id), held in self._store.applications.items()]
            rows = [{**record, "appId": app_id} for app_id, records in held for record in records]
        return pd.DataFrame(rows, columns=columns, dtype=object)

    @property
    def faults(self) -> Faults | None:
        """What goes wrong with requests."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults | str | None) -> None:
        if not (faults is None or isinstance(faults, Faults | str)):
            raise ValueError(f"Faults are given as a text or as Faults(...), not as {type(faults).__name__}.")
        self._faults = Faults.parse(faults) if isinstance(faults, str) else faults

    def _now(self) -> float:
        return time.time() + self.clock_offset + CLOCK_JUMP * self._jumped

    def _answer(self, request: Request) -> Reply:
        """Answer one request as the document says; object to what it does not know."""
        calls: dict[str, Callable[[str, dict[str, Any]], Any]] = {
            "/voice/sipAdd": self._add,
            "/voice/sipQuery": self._query,
        }
        host = request.header("Host")
        if re.sub(r":\d*$", "", host).lower() not in _HOSTS:
            return Reply(403, {"error": f"The sandbox answers to 127.0.0.1 and localhost, not to {host}."})
        path = request.path.split("?")[0]
        if path == "/" and request.method in ("GET", "HEAD"):
            return Reply(200, self._page())
        if self.latency:
            time.sleep(self.latency)
        if path not in calls:
            return Reply(404, {"error": f"The sandbox knows {' and '.join(calls)}, not {path}."})
        if request.method != "POST":
            return Reply(405, {"error": f"{path} is asked by POST, not {request.method}."})
        return self._serve(path.removeprefix("/voice/"), calls[path], request)

    def _serve(self, name: str, call: Callable[[str, dict[str, Any]], Any], request: Request) -> Reply:
        """Do what a request asks for, unless a fault prevents it; answer, unless a fault prevents that."""
        at = time.time()
        body = json_object(request.body)
        listing = name == "sipQuery"
        subject = str((body or {}).get("current", 1) if listing else (body or {}).get("groupName"))
        fault = self._faults.draw(name, subject) if self._faults else ""
        data, status = None, ""
        if fault == "clock":
            self._jumped = not self._jumped
        if performs_work(fault):
            try:
                data = call(self._admit(request), halved(body) if fault == "half" else required(body))
                status = "0"
            except StatusError as refusal:
                status = str(refusal)
        shown = status_for(fault, status)
        reply = Reply(200, {"status": shown, "reason": REASONS.get(shown, ""), "data": data if shown == "0" else None})
        spoilt = apply_fault(fault, reply, self.stall)
        with self._lock:
            app_id = str((body or {}).get("appId", ""))
            if fault == "late" and status == "0":
                self._hide(request.header("Api-Key"), app_id, subject, LATE_LISTINGS)
            self.served[name, shown if spoilt is reply else fault] += 1
            self.log.append(Served(name, subject, app_id, fault, status, at))
        return spoilt

    def _page(self) -> str:
        """Show a person what exists and what was answered."""
        with self._lock:
            answered = [f"{call} {status}: {times:,}" for (call, status), times in sorted(self.served.items())]
            remarks = [
                f"A stand-in for the ITNIO Voice API at {self.base_url}: nothing here is real. Reload for what is new.",
                f"Answers by call and status: {', '.join(answered) or 'none yet'}.",
            ]
            return self._store.as_html("itnio-nb sandbox", remarks)

    def _admit(self, request: Request) -> str:
        """Return the API key of a request that may ask."""
        key, timestamp = request.header("Api-Key"), request.header("Timestamp")
        secret = self._store.secrets.get(key)
        expected = hashlib.md5(f"{key}{secret}{timestamp}".encode()).hexdigest()  # noqa: S324 - the API's rule
        if secret is None or request.header("Sign").lower() != expected:
            raise StatusError("-1")
        if self.allowed_addresses is not None and request.address not in self.allowed_addresses:
            raise StatusError("-2")
        if not is_digits(timestamp, 1, 12) or abs(self._now() - int(timestamp)) > 1800:
            raise StatusError("-16")
        if self.broken:
            raise StatusError("-18")
        return key

    def _add(self, key: str, body: dict[str, Any]) -> None:
        app_id = self._known_app(body.get("appId"))
        shortest = 1 if self.lenient_names else 4
        group, phone = name_of(body.get("groupName"), shortest), name_of(body.get("phoneName"), shortest)
        quantity = whole_number(body.get("quantity"), 1, 50)
        number = body.get("displayNum")
        if not is_digits(number, 7, 13):
            raise StatusError("-22")
        with self._lock:
            held = self._store.application(key, app_id)
            if group in held.groups or phone in held.phone_names:
                raise StatusError("-20")
            if self.cap is not None and len(held.records) + quantity > self.cap:
                raise StatusError("-23")
            self._store.add_group(key, app_id, group, phone, [_random_text() for _ in range(quantity)], number)

    def _query(self, key: str, body: dict[str, Any]) -> dict[str, Any]:
        params = body.get("params")
        app_id = self._known_app(params.get("appId") if isinstance(params, dict) else None)
        current = whole_number(body.get("current", 1), 1, 10**9)
        size = whole_number(body.get("size", 25), 1, 100)
        with self._lock:
            records = self._shown(key, app_id, first=current == 1)
            total = len(records)
            page = records[(current - 1) * size : current * size]
        return {"total": total, "size": size, "current": current, "pages": -(-total // size), "records": page}

    def _shown(self, key: str, app_id: str, *, first: bool) -> list[dict[str, str]]:
        """Return the records that a listing shows: all but those of groups that are shown late."""
        records, hidden = self._store.application(key, app_id).records, self._hidden.get((key, app_id))
        if not hidden:
            return records
        shown = [record for record in records if record["groupName"] not in hidden]
        if first:  # the page that begins a listing
            self._hidden[key, app_id] = hidden - Counter(dict.fromkeys(hidden, 1))
        return shown

    def _known_app(self, app_id: object) -> str:
        if not isinstance(app_id, str) or not app_id or (self.app_ids is not None and app_id not in self.app_ids):
            raise StatusError("-22")
        return app_id


def _random_text() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))
