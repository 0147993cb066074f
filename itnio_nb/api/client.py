"""The client of one account: create a group of phones, list and count what exists, reset a password."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from copy import copy
from threading import Event
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from itnio_nb.api.account.account import Account
from itnio_nb.api.account.secret import Secret, private_frames
from itnio_nb.api.listing.inventory import Inventory, InventoryBuilder, field_text
from itnio_nb.api.listing.pages import PageReader
from itnio_nb.api.listing.parallel import for_each, thread_pool
from itnio_nb.api.listing.reader import LISTING_COLUMNS, ListingReader, PhoneList
from itnio_nb.api.models import PhoneGroup, Receipt, ResetReceipt, ResetState, State, now
from itnio_nb.api.statuses import ApiResponse, RequestError, reset_outcome, status_info
from itnio_nb.api.transport import Transport
from itnio_nb.errors import InputError, ItnioError

if TYPE_CHECKING:
    import pandas as pd

# Called with an application and passwords of it that were listed or answered: whoever keeps outputs has to know.
reveal_listeners: list[Callable[[str, Collection[str]], object]] = []


class Client:
    """Send signed requests for one account, from any thread, over at most `workers` kept connections.

        with Client(Account.from_env()) as client:
            receipt = client.create_phones(PhoneGroup("sales", "desk", 30, "861000000", "4luaKsL2"))
            phones = client.list_phones("4luaKsL2")

    `timeout` is in seconds: to connect, and from the request to the last byte of its answer. TLS is always verified and
    no redirect is followed. Plain `http` to other machines raises `AccountError`, because whoever sees one signed
    request can send others. Proxies and `REQUESTS_CA_BUNDLE` are read from the environment once.
    """

    def __init__(self, account: Account, *, workers: int = 8, timeout: tuple[float, float] = (5, 30)) -> None:
        if workers < 1 or min(timeout) <= 0:
            raise InputError("A client needs at least 1 worker, and two timeouts above 0: timeout=(5, 30), in seconds.")
        self.account = account
        self._transport = Transport(account, workers, timeout)
        self.longest_request = self._transport.longest_request  # seconds after which one has certainly ended
        self._wait_to_list: Callable[[Event | None], object] | None = None

    def paced(self, wait_to_list: Callable[[Event | None], object]) -> Client:
        """Return a client over the same connections that calls `wait_to_list` before it asks for a page."""
        client = copy(self)
        client._wait_to_list = wait_to_list  # noqa: SLF001 - its own class
        return client

    @property
    def workers(self) -> int:
        """How many requests can be under way at once."""
        return self._transport.workers

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
        """What was done about a clock that differs, in words; "" unless the server has refused a timestamp."""
        return self._transport.clock_warning

    @private_frames
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

    @private_frames
    def reset_password(self, app_id: str, account: str) -> ResetReceipt:
        """Send one `sipReset` for the phone of an `account` and return its receipt; nothing is raised.

            receipt = client.reset_password("4luaKsL2", "test_001")
            receipt.state, receipt.password           # reset, ********; receipt.password.reveal() is its text

        `receipt.state` is `reset`, `refused`, `unknown` (no answer of the API: which password works is not known) or
        `planned` (it never left, or the server is busy: `receipt.wait` seconds). Only a refused timestamp (-16) is
        sent a second time. Source of the statuses: the vendor's public documentation.
        """
        try:
            answer = self._transport.post("sipReset", {"account": account, "appId": app_id})
        except RequestError as error:
            state, advice = reset_outcome("planned" if error.info.state is State.PLANNED else "")
            return ResetReceipt(state, "", str(error), advice, now(), error.wait)
        state, advice = reset_outcome(answer.status)
        if state is not ResetState.RESET:
            return ResetReceipt(state, answer.status, answer.reason, advice, now())
        return _new_password(answer, app_id, account, advice)

    @private_frames
    def list_phones(
        self, app_id: str, reveal: bool = False, *, groups: Collection[str] | None = None, stopping: Event | None = None
    ) -> pd.DataFrame:
        """Return every phone of an application (all pages of `sipQuery`), one row each, or those of some `groups`.

        Columns, all text: `groupName phoneName account password displayNum appId`; passwords are `********` unless
        `reveal`. Pages are read in parallel; one that fails is asked for again with growing pauses. Phones that are
        added meanwhile may be there or not; a listing that shrinks is read again, one that does not add up is not
        returned. Raises `AccountError` for what would fail every request, `InputError` for an application id that is
        refused, `ServiceError` where the server does not answer or `stopping` is set between two pages.
        """
        import pandas as pd  # here, so that signing and sending need no tables

        with thread_pool(self._transport.workers) as pool:
            listed, _ = ListingReader(self._pages(app_id, stopping, reveal=reveal), pool).read(PhoneList(groups))
        phones = listed.phones()
        columns = {name: [field_text(phone.get(name)) for phone in phones] for name in LISTING_COLUMNS[:-1]}
        for listener in reveal_listeners if reveal else ():
            listener(app_id, columns["password"])
        return pd.DataFrame(columns, dtype=object).assign(appId=app_id)

    @private_frames
    def fetch_inventory(
        self, app_id: str, stopping: Event | None = None, created: Iterable[PhoneGroup] = ()
    ) -> Inventory:
        """Return the phones of an application by group. Raises what `list_phones` raises.

        `created`: groups that the server has answered with 0, from which it is learnt how it writes.
        """
        with thread_pool(self._transport.workers) as pool:
            return self._read_inventory(app_id, pool, stopping, created)

    @private_frames
    def fetch_inventories(
        self,
        app_ids: Iterable[str],
        stopping: Event | None = None,
        created: Mapping[str, Sequence[PhoneGroup]] = MappingProxyType({}),
    ) -> dict[str, Inventory | ItnioError]:
        """Return for each application its phones by group, or why it could not be listed; all are read in parallel.

        `created`, by application: as in `fetch_inventory`.
        """
        stopping, workers = stopping or Event(), self._transport.workers
        with thread_pool(workers) as pool:  # one for the pages of all applications

            def read(app_id: str) -> Inventory:
                return self._read_inventory(app_id, pool, stopping, created.get(app_id, ()))

            return for_each(list(dict.fromkeys(app_ids)), read, stopping, workers)

    @private_frames
    def count_phones(self, app_id: str, stopping: Event | None = None) -> int:
        """Return how many phones an application has, from one small request. Raises what `list_phones` raises."""
        return self._pages(app_id, stopping).count()

    def _pages(self, app_id: str, stopping: Event | None, *, reveal: bool = False) -> PageReader:
        return PageReader(self._transport, app_id, stopping, reveal, self._wait_to_list)

    def _read_inventory(
        self, app_id: str, pool: Executor, stopping: Event | None, created: Iterable[PhoneGroup]
    ) -> Inventory:
        builder, complete = ListingReader(self._pages(app_id, stopping), pool).read(InventoryBuilder())
        return builder.inventory(complete=complete).learn_writing(created)


def _new_password(answer: ApiResponse, app_id: str, account: str, advice: str) -> ResetReceipt:
    """Return the receipt of a `sipReset` that was answered with 0; one that names another phone tells nothing."""
    data = answer.data if isinstance(answer.data, dict) else {}
    if data.get("account", account) != account:
        state, advice = reset_outcome("")
        return ResetReceipt(state, answer.status, "the answer is about the phone of another account", advice, now())
    password = data.get("password")
    if not isinstance(password, str) or not password:
        return ResetReceipt(ResetState.RESET, answer.status, answer.reason, advice, now())
    for listener in reveal_listeners:
        listener(app_id, [password])
    return ResetReceipt(ResetState.RESET, answer.status, answer.reason, advice, now(), password=Secret(password))
