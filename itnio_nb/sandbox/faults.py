"""The faults that a sandbox can show, and which request meets one: by a script or by seeded chance."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from itnio_nb.sandbox.server import Reply

# Every kind of fault, and what it does to a request; -before and -after are before and after it has done its work.
# Written for sipAdd; OF_RESETS says how to read it for sipReset.
KINDS = {
    "drop-before": "the connection is cut before anything is created",
    "drop-after": "the phones are created, the connection is cut before the answer",
    "stall-before": "nothing is created, and no answer comes",
    "stall-after": "the phones are created, and no answer comes",
    "429": "HTTP 429 with Retry-After: 1; nothing is created",
    "500-before": "HTTP 500; nothing is created",
    "500-after": "the phones are created, the answer is HTTP 500",
    "502-before": "HTTP 502; nothing is created",
    "502-after": "the phones are created, the answer is HTTP 502",
    "503": "HTTP 503 with Retry-After: 1; nothing is created",
    "503-silent": "the phones are created, the answer is HTTP 503 without Retry-After",
    "redirect": "HTTP 302 to another address; nothing is created",
    "html": "the phones are created, the answer is a page of HTML with HTTP 200",
    "truncated": "the phones are created, the answer breaks off in the middle",
    "number": "the phones are created, the answer has its status as a number",
    "slow": "the phones are created, the answer comes byte by byte",
    "-18-before": "status -18; nothing is created",
    "-18-after": "the phones are created, the answer is status -18",
    "half": "half of the phones are created, the answer is status -18",
    "late": "the phones are created, and the next three listings do not show them",
    "clock": "the server's clock jumps by 45 minutes, and back with the next such fault",
}
OF_RESETS = 'With reset: before it, "created" means that the password of the phone is changed.'
NONE = "none"
ADD_ONLY = {"half", "late", *(kind for kind in KINDS if kind.endswith("-after"))}  # a listing creates nothing
_STILL_WORKS = {"", *ADD_ONLY, "503-silent", "html", "truncated", "number", "slow", "clock"}
CLOCK_JUMP = 2700.0  # seconds; a timestamp may be 1,800 off
LATE_LISTINGS = 3
_STATUS = re.compile(r"(-[1-9]\d{0,3})-(before|after)")
_PREFIXES = {"sipAdd": "", "sipQuery": "query:", "sipReset": "reset:"}  # of a fault's name, by endpoint
_GROUPS_ONLY = {"half", "late"}  # a reset has one phone, and a listing shows its password at once
_DRIP = 0.01  # seconds between two bytes of a slow answer


class Served(NamedTuple):
    """What one request asked for and met."""

    endpoint: str  # sipAdd, sipQuery or sipReset
    group: str  # the group's name; of a listing the page, of a reset the account
    app_id: str
    fault: str  # the fault that it met, "" for none
    status: str  # the outcome on the server, "" where it did not get that far
    at: float  # when it came in, Unix time of this machine


class Faults:
    """Decide which fault each request meets. Raises `ValueError` for a kind or a chance that does not exist.

        Faults(["drop-after", "none", "502-before"])       # the next three sipAdd requests, in order of arrival
        Faults(chances={"drop-after": 0.2, "late": 0.1}, seed=7)
        Faults.parse("all=0.33", seed=7)                    # every kind alike, listings included

    `query:` before a kind means sipQuery, as in `query:500-before`, and `reset:` sipReset. Chance depends on the seed,
    the group (page, account) and how often it was asked for: the same seed gives the same faults, in whatever order
    requests arrive.
    """

    def __init__(self, script: Iterable[str] = (), chances: Mapping[str, float] | None = None, seed: int = 0) -> None:
        self._scripts: dict[str, deque[str]] = {endpoint: deque() for endpoint in _PREFIXES}
        self._chances: dict[str, dict[str, float]] = {endpoint: {} for endpoint in _PREFIXES}
        self._seed = seed
        self._asked: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        for name in script:
            endpoint, kind = _endpoint_and_kind(name)
            self._scripts[endpoint].append(kind)
        for name, chance in (chances or {}).items():
            if not isinstance(chance, int | float) or not 0 <= chance <= 1:
                raise ValueError("A chance is a number from 0 to 1.")
            endpoint, kind = _endpoint_and_kind(name)
            self._chances[endpoint][kind] = chance
        for endpoint, kinds in self._chances.items():
            if sum(kinds.values()) > 1.000001:
                raise ValueError(f"The chances of {endpoint} add up to more than 1.")

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> Faults:
        """Read faults as the console command takes them.

        `drop-after,none,502-before` is a script, `late*3` in it three times the same; `drop-after=0.2,late=0.1` are
        chances; `all=0.33` spreads a chance over every kind.
        """
        script: list[str] = []
        chances: defaultdict[str, float] = defaultdict(float)
        for item in filter(None, map(str.strip, text.split(","))):
            if "=" in item:
                for kind, chance in _chances(*item.split("=", 1)).items():
                    chances[kind] += chance
                continue
            name, _, times = item.partition("*")
            if times and not (times.isdecimal() and len(times) < 6):
                raise ValueError(f"{item!r}: after the * stands how often, as in late*3, at most 99,999 times.")
            script += [name] * int(times or 1)
        return cls(script, chances, seed)

    def draw(self, endpoint: str, subject: str) -> str:
        """Return the fault that this request meets, "" for none. `subject` is its group, or its page."""
        with self._lock:
            if self._scripts[endpoint]:
                return self._scripts[endpoint].popleft()
            self._asked[endpoint, subject] += 1
            seed = f"{self._seed} {endpoint} {subject} {self._asked[endpoint, subject]}"
        point = random.Random(seed).random()  # noqa: S311 - chance, not a secret
        for kind, chance in self._chances[endpoint].items():
            point -= chance
            if point < 0:
                return kind
        return ""


def status_of(fault: str) -> str:
    """Return the status with which a fault answers, as `-10` of `-10-before`; "" for a fault of another kind."""
    match = _STATUS.fullmatch(fault)
    return match[1] if match else ""


def performs_work(fault: str) -> bool:
    """Tell whether a request that meets this fault does its work all the same."""
    return fault in _STILL_WORKS or _adds(fault)


def apply_fault(fault: str, reply: Reply, stall: float) -> Reply:
    """Return what is sent in place of the sandbox's own reply; `stall` is in seconds."""
    if fault.startswith("drop"):
        return replace(reply, cut=0)
    if fault.startswith("stall"):
        return replace(reply, wait=stall, cut=0)
    if fault in ("429", "503"):
        return Reply(int(fault), {"error": "too many requests"}, {"Retry-After": "1"})
    if fault[:3] in ("500", "502", "503"):
        return Reply(int(fault[:3]), f"<html><h1>{fault[:3]}</h1></html>")
    if fault == "redirect":
        return Reply(302, "", {"Location": "http://127.0.0.1:9/voice"})
    if fault == "html":
        return Reply(200, "<html><script>alert(1)</script>Please log in</html>")
    if fault == "truncated":
        return replace(reply, cut=20)
    if fault == "slow":
        return replace(reply, drip=_DRIP)
    if fault == "number" and isinstance(reply.content, dict):
        return replace(reply, content=reply.content | {"status": int(reply.content["status"])})
    return reply


def _adds(kind: str) -> bool:
    """Tell whether a fault creates phones: no listing meets it."""
    return kind in ADD_ONLY or kind.endswith("-after")


def _chances(name: str, number: str) -> dict[str, float]:
    """Return the chance of each kind that `name=number` gives one."""
    try:
        chance = float(number)
    except ValueError:
        chance = -1.0
    if not 0 <= chance <= 1:
        raise ValueError(f"{name}={number}: a chance is a number from 0 to 1.")
    if name != "all":
        return {name: chance}
    chances: dict[str, float] = {}
    for endpoint, prefix in _PREFIXES.items():
        kinds = [f"{prefix}{kind}" for kind in KINDS if _can_meet(endpoint, kind)]
        chances |= dict.fromkeys(kinds, chance / len(kinds))
    return chances


def _can_meet(endpoint: str, kind: str) -> bool:
    """Tell whether a request of an endpoint can meet a fault: a listing creates nothing, a reset has no halves."""
    if endpoint == "sipQuery":
        return not _adds(kind)
    return endpoint == "sipAdd" or kind not in _GROUPS_ONLY


def _endpoint_and_kind(name: str) -> tuple[str, str]:
    """Return which requests a named fault is for, and its kind, "" for none."""
    endpoint = next((one for one, prefix in _PREFIXES.items() if prefix and name.startswith(prefix)), "sipAdd")
    kind = name.removeprefix(_PREFIXES[endpoint])
    if not (kind in (*KINDS, NONE) or status_of(kind)) or not _can_meet(endpoint, kind):
        prefix = _PREFIXES[endpoint]
        known = ", ".join(f"{prefix}{one}" for one in (*KINDS, NONE) if _can_meet(endpoint, one))
        others = "" if endpoint == "sipQuery" else f" or {prefix}-10-after"
        status = f"and any other status, as in {prefix}-10-before{others}"
        raise ValueError(
            f"There is no fault {name!r}{f' of {endpoint}' if prefix else ''}. There are: {known}, {status}."
        )
    return endpoint, "" if kind == NONE else kind
