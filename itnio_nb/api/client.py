"""The client of one account: create a group of phones, list and count what exists."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Self

from itnio_nb.api.account import Account
from itnio_nb.api.listing import LISTING_COLUMNS, Inventory, ListingReader, collect_phones, field_text, inventory_of
from itnio_nb.api.models import PhoneGroup, Receipt, now
from itnio_nb.api.statuses import RequestError, status_info
from itnio_nb.api.transport import Transport
from itnio_nb.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


class Client:
    """Send signed requests for one account, from any thread, over at most `workers` kept connections.

        with Client(Account.from_env()) as client:
            receipt = client.create_phones(PhoneGroup("sales", "desk", 30, "861000000", "4luaKsL2"))
            phones = client.list_phones("4luaKsL2")

    `timeout` is in seconds: to connect, and between two bytes of an answer. TLS is always verified and no redirect is
    followed. Plain `http` to other machines raises `AccountError`, because whoever sees one signed request can send
    others. Proxies and `REQUESTS_CA_BUNDLE` are read from the environment once.
    """

    def __init__(self, account: Account, *, workers: int = 8, timeout: tuple[float, float] = (5, 30)) -> None:
        if workers < 1 or min(timeout) <= 0:
            raise InputError("A client needs at least 1 worker, and two timeouts above 0: timeout=(5, 30), in seconds.")
        self.account = account
        self._transport = Transport(account, workers, timeout)

    def widen(self, workers: int) -> None:
        """Allow at least `workers` requests under way at once."""
        self._transport.widen(workers)

    def close(self) -> None:
        """Close the connections; a client that is used again opens new ones."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.account!r})"

    @property
    def clock_offset(self) -> float:
        """Seconds by which the server's clock is ahead, 0 unless it has refused a timestamp."""
        return self._transport.clock_offset

    @property
    def clock_skew(self) -> float | None:
        """Seconds by which the server's clock was ahead at its last answer, None before the first."""
        return self._transport.clock_skew

    @property
    def clock_warning(self) -> str:
        """How far this machine's clock is off, in words; "" unless the server has refused a timestamp."""
        return self._transport.clock_warning

    def create_phones(self, group: PhoneGroup) -> Receipt:
        """Send one `sipAdd` for `group` and return its receipt; whatever comes back, nothing is raised.

        `receipt.state` is `created`, `exists`, `refused`, `unknown` (no answer of the API, so the phones may exist) or
        `planned` (it never left, or the server is busy: `receipt.wait` seconds). Only a refused timestamp (-16) is sent
        a second time, signed with the server's time. Source of the statuses: the API document.
        """
        try:
            answer = self._transport.post("sipAdd", group.to_wire())
        except RequestError as error:
            return Receipt(error.info.state, "", str(error), error.info.advice, now(), error.wait)
        info = status_info(answer.status)
        return Receipt(info.state, answer.status, answer.reason, info.advice, now())

    def list_phones(self, app_id: str, reveal: bool = False, *, stopping: Event | None = None) -> pd.DataFrame:
        """Return every phone of an application (all pages of `sipQuery`), one row each.

        Columns, all text: `groupName phoneName account password displayNum appId`; passwords are `********` unless
        `reveal`. A page that fails is asked for again with growing pauses, a listing that changes meanwhile is read
        again; one that never adds up is not returned. Raises `AccountError` for what would fail every request,
        `InputError` for an application id that is refused, `ServiceError` where the server does not answer or
        `stopping` is set between two pages.
        """
        import pandas as pd  # here, so that signing and sending need no tables

        phones = ListingReader(self._transport, app_id, stopping, reveal).read(collect_phones)
        columns = {name: [field_text(phone.get(name)) for phone in phones] for name in LISTING_COLUMNS[:-1]}
        return pd.DataFrame(columns, dtype=object).assign(appId=app_id)

    def fetch_inventory(self, app_id: str, stopping: Event | None = None) -> Inventory:
        """Return the phones of an application by group. Raises what `list_phones` raises."""
        return ListingReader(self._transport, app_id, stopping).read(inventory_of)

    def count_phones(self, app_id: str, stopping: Event | None = None) -> int:
        """Return how many phones an application has, from one small request. Raises what `list_phones` raises."""
        return ListingReader(self._transport, app_id, stopping).count()
