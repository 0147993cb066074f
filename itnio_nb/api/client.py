"""The requests of the API: create a group, answered with a receipt; list the phones, read with patience."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Self

from itnio_nb.api.account import Account
from itnio_nb.api.listing import LISTING_COLUMNS, Inventory, ListingReader, collect_records, field_text, inventory_of
from itnio_nb.api.models import PhoneGroup, Receipt, now
from itnio_nb.api.statuses import (
    BUSY,
    NEVER_SENT,
    NO_ANSWER,
    STATUSES,
    UNDOCUMENTED,
    BusyError,
    NotSentError,
    UnknownOutcomeError,
)
from itnio_nb.api.transport import Transport
from itnio_nb.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


class Client:
    """Sends signed requests of one account, from any thread, over at most `workers` kept connections.

        with Client(Account.from_env()) as client:
            receipt = client.create_phones(PhoneGroup("sales", "desk", 30, "861000000", "4luaKsL2"))
            phones = client.list_phones("4luaKsL2")

    `timeout` is (to connect, between bytes of the answer), in seconds. TLS is always verified, redirects are
    never followed, and plain `http` is for loopback addresses only: whoever sees one signed request can send
    others (`AccountError`). Proxies and `REQUESTS_CA_BUNDLE` are read from the environment once.
    """

    def __init__(self, account: Account, *, workers: int = 8, timeout: tuple[float, float] = (5, 30)) -> None:
        if workers < 1 or min(timeout) <= 0:
            raise InputError("A client needs at least 1 worker, and two timeouts above 0: timeout=(5, 30), in seconds.")
        self.account = account
        self._transport = Transport(account, workers, timeout)
        self._listing = ListingReader(self._transport)

    @property
    def workers(self) -> int:
        """The most requests that may be under way at once."""
        return self._transport.workers

    def widen(self, workers: int) -> None:
        """Allow at least `workers` requests under way at once."""
        self._transport.widen(workers)

    def close(self) -> None:
        """Close the connections. A closed client opens new ones when it is used again."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.account!r})"

    @property
    def clock_offset(self) -> float:
        """Seconds by which the server's clock is ahead, as far as requests were signed with its time."""
        return self._transport.clock_offset

    @property
    def clock_warning(self) -> str:
        """How far this machine's clock is off, in words; "" as long as the server has not refused a timestamp."""
        return self._transport.clock_warning

    def create_phones(self, group: PhoneGroup) -> Receipt:
        """Send one `sipAdd` for `group`, once, and return its receipt; nothing an answer can be raises.

        `receipt.state` is `created`, `exists`, `refused`, `unknown` (whatever is not an answer of the API:
        lost connections, timeouts, other HTTP statuses than 200, other bodies) or `planned` (it certainly
        never left, or the server is busy and asks to `wait`). A timestamp that is refused (-16) is corrected by
        the server's clock and sent once more. Source of the statuses: the API document.
        """
        try:
            answer = self._transport.post("sipAdd", group.to_wire())
        except NotSentError as why:
            return Receipt(NEVER_SENT.state, "", str(why), NEVER_SENT.advice, now())
        except BusyError as why:
            return Receipt(BUSY.state, "", str(why), BUSY.advice, now(), why.wait)
        except UnknownOutcomeError as why:
            return Receipt(NO_ANSWER.state, "", str(why), NO_ANSWER.advice, now())
        meaning = STATUSES.get(answer.status, UNDOCUMENTED)
        return Receipt(meaning.state, answer.status, answer.reason, meaning.advice, now())

    def list_phones(self, app_id: str, reveal: bool = False, *, stopping: Event | None = None) -> pd.DataFrame:
        """Return every phone of an application (all pages of `sipQuery`), one row each.

        Columns, all text: `groupName phoneName account password displayNum appId`. Passwords are shown as
        `********` unless `reveal`. What goes wrong with a page is tried again, a few times, with growing pauses; a
        listing that changes while it is read is read again, twice at most; one that never adds up is never
        believed. Raises `AccountError` for what dooms every request, `InputError` for an application id that is
        refused, `ServiceError` where the server cannot be asked or `stopping` is set between two pages.
        """
        import pandas as pd  # here, so that signing and sending need no tables

        records = self._listing.read(app_id, collect_records, reveal=reveal, stopping=stopping)
        columns = {name: [field_text(record.get(name)) for record in records] for name in LISTING_COLUMNS[:-1]}
        return pd.DataFrame(columns, dtype=object).assign(appId=app_id)

    def fetch_inventory(self, app_id: str, stopping: Event | None = None) -> Inventory:
        """Read all phones of an application once, and return them by group. Raises what `list_phones` raises."""
        return self._listing.read(app_id, inventory_of, stopping=stopping)

    def count_phones(self, app_id: str, stopping: Event | None = None) -> int:
        """Return how many phones an application has: one small request, with little patience.

        Raises what `list_phones` raises.
        """
        return self._listing.count(app_id, stopping)
