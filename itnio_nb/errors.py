"""What can go wrong, named by what to do next.

ItnioError
├── InputError       correct the table or the argument, then run the line again
├── AccountError     correct the key, the secret, the address or the clock of this machine
├── LedgerError      repair the ledger's file or server, or choose another
├── ServiceError     the server did not answer: nothing was changed, try again later
└── StalePlanError   make the plan again and confirm it again

Each message names the place, the problem and the next step; none carries a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class ItnioError(Exception):
    """The base of all errors that this package raises on purpose.

    `status` is that of the API's answer where one caused the error, otherwise "".
    """

    def __init__(self, message: str, *, status: str = "") -> None:
        super().__init__(message)
        self.status = status

    def _render_traceback_(self) -> list[str]:
        """Show the message alone in a notebook, as IPython asks for it: where we raised it helps no operator."""
        return [f"{type(self).__name__}: {self}"]


def os_error_reason(error: Exception) -> str:
    """Return the reason of an error of Python or of the system, without its number and its path."""
    return getattr(error, "strerror", None) or str(error)


class InputError(ItnioError):
    """The orders or an argument cannot be used: correct them, then run the line again."""


class MissingColumnsError(InputError):
    """A table lacks columns, or has one of them twice. For a form: which, and all that is known of its headers.

    `headers` are those that are left, `recognised` has the header of each column that was found, `guesses` by column
    the header that it may have and up to three of its cells, `samples` such cells by header, `row` the number of the
    row of headers. Where `is_headerless`, that row is an order: reading it with `header=0` names the columns.
    """

    is_headerless: bool = False
    label: str = ""  # of the table, as a message says it
    sheet: str = ""  # of a workbook, and all of its sheets that are shown
    sheets: tuple[str, ...] = ()

    def __init__(
        self,
        problem: str,
        missing: Sequence[str] = (),
        headers: Sequence[str] = (),
        guesses: Mapping[str, tuple[str, Sequence[str]]] | None = None,
        *,
        recognised: Mapping[str, str] | None = None,
        samples: Mapping[str, Sequence[str]] | None = None,
        row: int = 0,
    ) -> None:
        super().__init__(problem)
        self.missing, self.headers, self.guesses = tuple(missing), tuple(headers), dict(guesses or {})
        self.recognised, self.samples = dict(recognised or {}), dict(samples or {})
        self.row = row


class AccountError(ItnioError):
    """The key, secret, address or clock is wrong: correct it before anything else is sent."""


class AccountWarning(UserWarning):
    """Where the account is configured, or a file of it is kept, something could be safer: what, and how to mend it."""


class LedgerError(ItnioError):
    """The ledger cannot be read or written: repair its file or server, or choose another."""


class LostLedgerError(LedgerError):
    """The ledger's server does not answer, or not now: a run waits until it does, and then goes on."""


class ServiceError(ItnioError):
    """The server did not answer, or not as the API does: try again later."""


class StalePlanError(ItnioError):
    """The plan no longer fits the account or the ledger: make it again and confirm it again.

    `differences` is a table of the groups that need another action now, None where the whole plan does not fit.
    """

    def __init__(self, message: str, *, status: str = "", differences: pd.DataFrame | None = None) -> None:
        super().__init__(message, status=status)
        self.differences = differences
