"""Orders and groups for tests, and where things are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from itnio_nb import Account, Client, PhoneGroup, Sandbox
from itnio_nb.sandbox.faults import Faults

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
APP = "4luaKsL2"
NOWHERE = "http://127.0.0.1:9/voice"  # a base address where nobody listens
COLUMNS = ["groupName", "phoneName", "quantity", "displayNum", "appId"]


def group(name: str = "sales", phone: str = "desk", quantity: int = 3, app_id: str = APP) -> PhoneGroup:
    return PhoneGroup(name, phone, quantity, "861000000", app_id)


def orders_frame(*rows: tuple[object, ...]) -> pd.DataFrame:
    """Orders from tuples; what a tuple lacks at its end is filled with a good value."""
    good = ("sales", "desk", "3", "861000000", APP)
    return pd.DataFrame([(*row, *good[len(row) :]) for row in rows], columns=COLUMNS, dtype=object)


def one_order(**cells: str) -> pd.DataFrame:
    """One order that is good but for these cells."""
    return orders_frame(("sales", "desk", "30", "8610850001")).assign(**cells)


def many_orders(number: int, quantity: int = 3, app_id: str = APP) -> pd.DataFrame:
    return orders_frame(*((f"group-{at}", f"phone-{at}", str(quantity), "861000000", app_id) for at in range(number)))


class Gate(Faults):
    """The `faults` of a sandbox that answers no request before `opened` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()

    def draw(self, endpoint: str, subject: str) -> str:
        assert self.opened.wait(60), f"nobody opened the gate for {endpoint} of {subject}"
        return ""


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for what another thread does; fail if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.005)


def sent(sandbox: Sandbox) -> int:
    """Return how many `sipAdd` requests a sandbox has answered."""
    return sum(number for (endpoint, _), number in sandbox.served.items() if endpoint == "sipAdd")


# What a sandbox is set to, so that the next sipAdd gets a status.
_PROVOCATIONS: dict[str, tuple[str, object]] = {
    "-2": ("allowed_addresses", ["192.0.2.1"]),
    "-16": ("faults", "-16-before,query:-16-before*3"),  # though the clocks agree
    "-18": ("broken", True),
    "-22": ("app_ids", ["another"]),
    "-23": ("cap", 2),
}


def provoke(sandbox: Sandbox, status: str) -> Client:
    """Bring the sandbox, or the client, to where the next sipAdd gets `status`."""
    account = sandbox.account
    if status in _PROVOCATIONS:
        setattr(sandbox, *_PROVOCATIONS[status])
    elif status == "-1":
        account = Account(account.api_key, "wrong", account.base_url)
    elif status == "-20":
        Client(account).create_phones(group())
    return Client(account)
