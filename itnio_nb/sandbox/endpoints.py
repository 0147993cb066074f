"""What the stand-in answers: the document's endpoints, rules and statuses, and the faults that are asked for."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeGuard

from itnio_nb.sandbox.faults import CLOCK_JUMP, LATE_LISTINGS, Faults, Served, apply_fault, performs_work, status_of
from itnio_nb.sandbox.server import Reply, Request
from itnio_nb.sandbox.store import Store

REASONS = {
    "0": "success",
    "-1": "Authentication error",
    "-2": "Restricted IP access",
    "-16": "Timestamp expires",
    "-18": "Port program unusual",
    "-20": "Data existing",
    "-22": "Parameter exception",
    "-23": "Data caps",
    # Not in the document: the words of the vendor's lists for other services. A fault can ask for any number.
    "-10": "Balance insufficient",
    "-13": "User locked",
    "-15": "Frequent query",
    "-21": "Data validation exception",
    "-24": "Data not existing",
    "-29": "Workspace disabled",
    "-30": "Key disabled",
    "-31": "Address not in the whitelist",
    "-32": "No permission for the application",
    "-36": "More than can be created",
}
LOGGED, _LONGEST = 100_000, 200  # the last requests that the log has at least, and characters of a name in it
_TIMESTAMP_WINDOW = 1800  # seconds to either side of the server's clock
# A page of another site may reach this port through a host name of its own: it gets no answer.
_HOSTS = ("", "127.0.0.1", "localhost", "[::1]")
_HOST = re.compile(r"(?!-)(?=.{1,253}$)[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\]")  # as a Host header has it
# What stands before the name of an endpoint, slashes in a row taken as one: the document's base, the other brands', and
# nothing, for a base that is the bare address. The vendor's SDK joins a base with `voice/sipAdd`: the first two again.
_PREFIXES = ("/voice/", "/v3/voice/", "/")
_KNOWN = ("sipAdd", "sipQuery", "sipReset")


class StatusError(Exception):
    """A request is refused with this status."""


@dataclass(kw_only=True, repr=False, eq=False)
class Endpoints:
    """Answer requests as the API document says, unless a fault is due. `Sandbox` describes what can be set."""

    latency: float = 0.0
    clock_offset: float = 0.0
    allowed_addresses: Collection[str] | None = None
    cap: int | None = None
    broken: bool = False
    app_ids: Collection[str] | None = None
    lenient_names: bool = False
    ignores_case: bool = False
    newest_first: bool = False
    page_limit: int = 100
    writes_name: Callable[[str, int], str] = "{}-{}".format
    writes_number: Callable[[str], str] = str
    faults: Faults | str | None = None
    stall: float = 60.0
    allowed_hosts: Collection[str] = ()

    def __post_init__(self) -> None:
        self.served: Counter[tuple[str, str]] = Counter()
        self.log: list[Served] = []
        self._store = Store()
        self._lock = threading.Lock()
        self._clock_jumped = False
        self._hidden: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)  # listings without a group

    def __setattr__(self, name: str, value: object) -> None:
        """Parse faults and hosts when they are set: a text with a mistake is refused at once."""
        if name == "allowed_hosts":
            value = _host_names(value)
        if name == "faults" and not (value is None or isinstance(value, Faults | str)):
            raise ValueError(f"Faults are given as a text or as Faults(...), not as {type(value).__name__}.")
        super().__setattr__(name, Faults.parse(value) if name == "faults" and isinstance(value, str) else value)

    def now(self) -> float:
        """Return the Unix time of the server's clock."""
        return time.time() + self.clock_offset + CLOCK_JUMP * self._clock_jumped

    def answer(self, request: Request) -> Reply:
        """Return the reply to a request; what is not in the document gets an HTTP error that says what is."""
        host, path = request.header("Host"), re.sub("//+", "/", request.path.split("?")[0])
        if _host_name(host) not in (*_HOSTS, *self.allowed_hosts):
            words = f"The sandbox answers to 127.0.0.1 and localhost, not to {host}: start it with --allow-host NAME."
            return Reply(403, {"error": words})
        if path == "/" and request.method in ("GET", "HEAD"):
            return Reply(200, self._page(host))
        if self.latency:
            time.sleep(self.latency)
        endpoint = path.rsplit("/", 1)[-1]
        if endpoint not in _KNOWN or path.removesuffix(endpoint) not in _PREFIXES:
            known = f"{', '.join(_KNOWN)} below {', '.join(_PREFIXES)}"
            return Reply(404, {"error": f"The sandbox knows {known}, not {path}."})
        if request.method != "POST":
            return Reply(405, {"error": f"{path} is asked by POST, not {request.method}."})
        return self._serve(endpoint, request)

    def _page(self, host: str) -> str:
        """Return the page that shows a person what exists and what was answered."""
        url = f"http://{host}/voice"
        with self._lock:
            answered = [f"{endpoint} {status}: {times:,}" for (endpoint, status), times in sorted(self.served.items())]
            return self._store.as_html(
                f"A stand-in for the ITNIO Voice API at {url}: nothing here is real. Reload for what is new.",
                f"Answers by endpoint and status: {', '.join(answered) or 'none yet'}.",
            )

    def _serve(self, endpoint: str, request: Request) -> Reply:
        """Do what a request asks for and reply, unless a fault prevents the one or the other; log both."""
        at = time.time()
        body = _json_object(request.body)
        asked = body.get("params", {}) if endpoint == "sipQuery" else body
        app_id = str(asked.get("appId", "")) if isinstance(asked, dict) else ""
        subject = _subject(endpoint, body)
        fault = faults.draw(endpoint, subject) if isinstance(faults := self.faults, Faults) else ""
        if fault == "clock":
            self._clock_jumped = not self._clock_jumped
        status, data = self._work(endpoint, request, body, half=fault == "half") if performs_work(fault) else ("", None)
        shown = status_of(fault) or ("-18" if fault == "half" and status == "0" else status)
        reply = Reply(200, {"status": shown, "reason": REASONS.get(shown, ""), "data": data if shown == "0" else None})
        replaced = apply_fault(fault, reply, self.stall)
        with self._lock:
            if fault == "late" and status == "0":
                self._hidden[request.header("Api-Key"), app_id][subject] = LATE_LISTINGS
            self.served[endpoint, shown if replaced is reply else fault] += 1
            self.log.append(Served(endpoint, subject[:_LONGEST], app_id[:_LONGEST], fault, status, at))
            if len(self.log) >= 2 * LOGGED:
                del self.log[:LOGGED]
        return replaced

    def _work(self, endpoint: str, request: Request, body: dict[str, Any], half: bool) -> tuple[str, Any]:
        """Do what a request asks for, or half of it; return status and data of the answer."""
        try:
            key = self._authenticate(request)
            if endpoint == "sipQuery":
                return "0", self._query(key, body)
            if endpoint == "sipReset":
                return "0", self._reset(key, body)
            self._add(key, body, half)
        except StatusError as refusal:
            return str(refusal), None
        return "0", None

    def _authenticate(self, request: Request) -> str:
        """Return the API key of a request that may ask."""
        key, timestamp = request.header("Api-Key"), request.header("Timestamp")
        secret = self._store.secrets.get(key)
        expected = hashlib.md5(f"{key}{secret}{timestamp}".encode()).hexdigest()  # noqa: S324 - the API's rule
        if secret is None or request.header("Sign").lower() != expected:
            raise StatusError("-1")
        if self.allowed_addresses is not None and request.address not in self.allowed_addresses:
            raise StatusError("-2")
        if not _is_digits(timestamp, 1, 12) or abs(self.now() - int(timestamp)) > _TIMESTAMP_WINDOW:
            raise StatusError("-16")
        if self.broken:
            raise StatusError("-18")
        return key

    def _add(self, key: str, body: dict[str, Any], half: bool) -> None:
        """Create the phones of one sipAdd, or half of them."""
        app_id = self._known_app(body.get("appId"))
        shortest = 1 if self.lenient_names else 4
        group, phone = (_text(body.get(field), shortest) for field in ("groupName", "phoneName"))
        quantity, number = _whole_number(body.get("quantity"), 1, 50), body.get("displayNum")
        if not _is_digits(number, 7, 13):
            raise StatusError("-22")
        quantity = max(1, quantity // 2) if half else quantity
        with self._lock:
            held = self._store.application(key, app_id)
            if any(self._is_taken(name, taken) for name, taken in ((group, held.groups), (phone, held.phone_names))):
                raise StatusError("-20")
            if self.cap is not None and len(held.phones) + quantity > self.cap:
                raise StatusError("-23")
            names = [self.writes_name(phone, at) for at in range(1, quantity + 1)]
            self._store.add_group(key, app_id, group, phone, names, self.writes_number(number))

    def _is_taken(self, name: str, names: Collection[str]) -> bool:
        if self.ignores_case:
            return name.casefold().rstrip() in {one.casefold().rstrip() for one in names}
        return name in names

    def _query(self, key: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the page that one sipQuery asks for."""
        params = body.get("params")
        app_id = self._known_app(params.get("appId") if isinstance(params, dict) else None)
        current = _whole_number(body.get("current", 1), 1, 10**9)
        size = _whole_number(body.get("size", 25), 1, 100)
        with self._lock:
            hidden = self._hidden[key, app_id]
            if current == 1:  # the first page counts as a listing of what it hides
                self._hidden[key, app_id] = hidden - Counter(list(hidden))
            phones = self._store.application(key, app_id).phones
            phones = [phone for phone in phones if phone["groupName"] not in hidden] if hidden else phones
            size, total = min(size, self.page_limit), len(phones)
            page = (phones[::-1] if self.newest_first else phones)[(current - 1) * size : current * size]
        return {"total": total, "size": size, "current": current, "pages": -(-total // size), "records": page}

    def _reset(self, key: str, body: dict[str, Any]) -> dict[str, str]:
        """Give one phone a new password; return the data of the answer."""
        app_id, account = self._known_app(body.get("appId")), _text(body.get("account"), 4)
        with self._lock:
            if not any(phone["account"] == account for phone in self._store.application(key, app_id).phones):
                raise StatusError("-24")
            return {"account": account, "password": self._store.reset_password(key, app_id, account)}

    def _known_app(self, app_id: object) -> str:
        if isinstance(app_id, str) and app_id and (self.app_ids is None or app_id in self.app_ids):
            return app_id
        raise StatusError("-22")


def _json_object(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds, an empty one for any other body: it lacks what every endpoint requires."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _whole_number(value: object, least: int, most: int) -> int:
    """Return an integer; the PHP sample of the document sends it as a text of decimal digits."""
    if isinstance(value, str) and _is_digits(value, 1, 10):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise StatusError("-22")
    return value


def _is_digits(text: object, least: int, most: int) -> TypeGuard[str]:
    """Tell whether a value is a text of `least` to `most` ASCII digits."""
    return isinstance(text, str) and least <= len(text) <= most and text.isascii() and text.isdigit()


def _text(text: object, shortest: int) -> str:
    """Return a name or an account: up to 32 characters, of any kind."""
    if not isinstance(text, str) or not shortest <= len(text) <= 32:
        raise StatusError("-22")
    return text


def _subject(endpoint: str, body: dict[str, Any]) -> str:
    """Return what a request is about: a group, the account of a phone, or the page of a listing."""
    field = {"sipAdd": "groupName", "sipReset": "account"}.get(endpoint)
    return str(body.get("current", 1) if field is None else body.get(field))


def _host_name(header: str) -> str:
    """Return the host of a Host header: without port and final dot, in lower case."""
    return re.sub(r":\d*$", "", header).lower().removesuffix(".")


def _host_names(names: object) -> tuple[str, ...]:
    """Return the names of further hosts that are answered to; raise `ValueError` for what no Host header has."""
    hosts = [names] if isinstance(names, str) or not isinstance(names, Collection) else names
    for host in hosts:
        if not isinstance(host, str) or not _HOST.fullmatch(host.lower()):
            raise ValueError(f"{host!r} is no host: give a name as it stands in an address, without http:// and port.")
    return tuple(map(_host_name, hosts))
