"""What can go wrong, named by what to do next.

ItnioError
├── InputError       mend the table or the argument, then run the line again
├── AccountError     mend the key, the secret, the address or the clock of this machine
├── LedgerError      mend the ledger's file, or choose another
├── ServiceError     the server could not be asked: nothing was changed, try again later
└── StalePlanError   make the plan again and confirm it again

Each message says where, what, and what to do next; none carries a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class ItnioError(Exception):
    """The root of all errors that this package raises on purpose.

    `status` is the API's status when an answer of the API caused the error, otherwise empty.
    """

    def __init__(self, message: str, *, status: str = "") -> None:
        super().__init__(message)
        self.status = status


def os_error_reason(error: Exception) -> str:
    """Return the reason of an error of Python or of the system in a few words, without its number and its path."""
    return getattr(error, "strerror", None) or str(error)


class InputError(ItnioError):
    """The orders or an argument cannot be used: mend them, then run the line again."""


class AccountError(ItnioError):
    """The key, secret, address or clock is wrong: mend it before anything else is sent."""


class LedgerError(ItnioError):
    """The ledger cannot be read or written: mend its file, or choose another."""


class ServiceError(ItnioError):
    """The server could not be asked, or did not answer as the API does: try again later."""


class StalePlanError(ItnioError):
    """The plan no longer fits the account or the ledger: make it again and confirm it again.

    `differences` is a table of the groups that need another action now, None where the whole plan does not fit.
    """

    def __init__(self, message: str, *, status: str = "", differences: pd.DataFrame | None = None) -> None:
        super().__init__(message, status=status)
        self.differences = differences
