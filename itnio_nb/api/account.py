"""An account of the API: key, secret and base address, given or read from the environment."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from itnio_nb.errors import AccountError

DEFAULT_BASE_URL = "https://api.itniotech.com/voice"
MASK = "********"


class Secret:
    """A text that is never shown: `repr`, `str` and `format` give `********`, pickling raises `TypeError`.

    >>> f"the secret is {Secret('7bz1lzh9')}"
    'the secret is ********'

    Only `reveal()` returns its text.
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Return the text itself: never print, log or store it."""
        return self.__text

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__text.encode("utf-8", "replace"), other.__text.encode("utf-8", "replace"))

    def __hash__(self) -> int:
        return hash((Secret, self.__text))

    def __copy__(self, _: object = None) -> Secret:
        return self

    __deepcopy__ = __copy__

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is never pickled: give the other process its own ITNIO_API_SECRET")


@dataclass(frozen=True, init=False)
class Account:
    """The credentials and the base address with which requests are sent.

    >>> Account("bDqJFiq9", "7bz1lzh9")
    Account(api_key='bDqJFiq9', api_secret=********, base_url='https://api.itniotech.com/voice')

    `base_url` is what precedes `/sipAdd`; other brands of the API have other addresses. It is normalized (lower case
    scheme and host, no default port, no closing slash), because it is part of the ledger's key. Raises `AccountError`
    for a key, secret or address that cannot be used.
    """

    api_key: str
    api_secret: Secret
    base_url: str

    def __init__(self, api_key: str, api_secret: str | Secret, base_url: str = DEFAULT_BASE_URL) -> None:
        secret = api_secret if isinstance(api_secret, Secret) else Secret(api_secret)
        del api_secret  # from here on, a traceback that shows variables shows the mask
        for name, value in (("api_key", api_key), ("api_secret", secret), ("base_url", "")):
            object.__setattr__(self, name, value)  # before any check: a traceback may show this object half made
        _require("key", bool(api_key), api_key.isascii() and _is_clean(api_key))
        _require("secret", bool(secret.reveal()), _is_clean(secret.reveal()))
        object.__setattr__(self, "base_url", _normal_base_url(base_url))

    @property
    def is_loopback(self) -> bool:
        """Whether the address is one of this machine."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def is_sandbox(self) -> bool:
        """Whether it is a sandbox's: plain http on this machine. Encrypted, a loopback address may lead elsewhere."""
        return self.is_loopback and self.base_url.startswith("http:")

    @classmethod
    def is_configured(cls, folder: Path | None = None) -> bool:
        """Tell whether any variable that `from_env` reads is set."""
        return any(_settings(folder)[0].values())

    @classmethod
    def from_env(cls, folder: Path | None = None) -> Account:
        """Read `ITNIO_API_KEY`, `ITNIO_API_SECRET` and, where set, `ITNIO_BASE_URL`.

        The environment takes precedence over the nearest `.env` file in `folder` (default: the current one) or above.
        Raises `AccountError` that names exactly the variables that are missing.
        """
        values, dotenv_path = _settings(folder)
        missing = [name for name in ("ITNIO_API_KEY", "ITNIO_API_SECRET") if not values[name]]
        if missing:
            here = folder or Path.cwd()
            where = f"nor in {dotenv_path}" if dotenv_path else f"and there is no .env file in {here} or above"
            are, them = ("is", "it") if len(missing) == 1 else ("are", "them")
            raise AccountError(
                f"{' and '.join(missing)} {are} not set: not in the environment, {where}. "
                f"Set {them}, or write {'=… and '.join(missing)}=… into {dotenv_path or '.env'}."
            )
        return cls(values["ITNIO_API_KEY"], values["ITNIO_API_SECRET"], values["ITNIO_BASE_URL"] or DEFAULT_BASE_URL)


def _settings(folder: Path | None) -> tuple[dict[str, str], Path | None]:
    """Return the account's variables, "" for those not set, and the `.env` file that was found."""
    from dotenv import dotenv_values

    start = (folder or Path.cwd()).resolve()
    problem, dotenv_path, in_file = "", None, dict[str, str | None]()
    try:
        dotenv_path = next((path for place in (start, *start.parents) if (path := place / ".env").is_file()), None)
        in_file = dotenv_values(dotenv_path, interpolate=False, encoding="utf-8-sig") if dotenv_path else {}
    except OSError as error:
        problem = error.strerror or "it cannot be opened"
    except ValueError:
        problem = "it is not UTF-8 text"
    if problem:  # outside of `except`: the original may hold the file's text
        raise AccountError(f"The file {dotenv_path or start / '.env'} cannot be read ({problem}): mend or delete it.")
    names = ("ITNIO_API_KEY", "ITNIO_API_SECRET", "ITNIO_BASE_URL")
    return {name: os.environ.get(name) or in_file.get(name) or "" for name in names}, dotenv_path


def _require(name: str, is_given: bool, is_usable: bool) -> None:
    """Raise `AccountError` for a key or secret that cannot be one; its text never gets here."""
    if not is_given:
        raise AccountError(f"The API {name} is empty: set ITNIO_API_{name.upper()}, or give it to Account(...).")
    if not is_usable:
        raise AccountError(f"The API {name} has blanks around it or characters that no {name} has: copy it again.")


def _is_clean(text: str) -> bool:
    return text == text.strip() and text.isprintable()


def _normal_base_url(base_url: str) -> str:
    """Return an address in its one spelling; raise `AccountError` for what is no address of the API."""
    advice = f"Write it like {DEFAULT_BASE_URL} (ITNIO_BASE_URL)."
    try:
        parts = urlsplit(base_url.strip())
        host, port = parts.hostname or "", parts.port  # a port that is no number raises here
    except ValueError:
        raise AccountError(f"The base address cannot be read. {advice}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise AccountError(f"The base address {base_url!r} is not an http address. {advice}")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        # The address is not repeated: a password may be in it.
        raise AccountError(f"The base address must not carry a user name, a query or a fragment. {advice}")
    host = f"[{host}]" if ":" in host else host
    at_port = "" if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{at_port}{parts.path.rstrip('/')}"
