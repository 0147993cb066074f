"""The signature and the headers of a request, computed from values and a time alone."""

from __future__ import annotations

import hashlib

from itnio_nb.api.account.account import Account
from itnio_nb.api.account.secret import Secret


def sign(api_key: str, api_secret: str | Secret, timestamp: int | str) -> str:
    """Return the signature of a request: MD5 of key + secret + timestamp, 32 lower-case hexadecimal digits.

    >>> sign("bDqJFiq9", "7bz1lzh9", 1630468800)
    '05d7a50893e22a5c4bb3216ae3396c7c'

    `timestamp` is Unix time in whole seconds. Source: the request sample of the API document.
    """
    secret = api_secret if isinstance(api_secret, Secret) else Secret(api_secret)
    del api_secret
    # MD5 is the API's choice; nothing else here depends on it.
    return hashlib.md5(f"{api_key}{secret.reveal()}{timestamp}".encode(), usedforsecurity=False).hexdigest()


def signed_headers(account: Account, timestamp: int | str) -> dict[str, str]:
    """Return the four headers of a request.

    >>> signed_headers(Account("bDqJFiq9", "7bz1lzh9"), 1630468800)["Sign"]
    '05d7a50893e22a5c4bb3216ae3396c7c'

    Whoever sees them can send requests for this account until the timestamp expires (half an hour): never log them.
    Source: the request sample of the API document.
    """
    return {
        "Content-Type": "application/json;charset=UTF-8",
        "Api-Key": account.api_key,
        "Timestamp": str(timestamp),
        "Sign": sign(account.api_key, account.api_secret, timestamp),
    }
