"""An account of the API: key, secret and base address, given or read from the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from itnio_nb.api.account.address import DEFAULT_BASE_URL, is_loopback, normal_base_url
from itnio_nb.api.account.secret import Secret
from itnio_nb.api.account.settings import find_settings, read_settings
from itnio_nb.errors import AccountError

SANDBOX_PREFIX = "sandbox-"  # with which the key of every sandbox's account begins, and no other's


@dataclass(frozen=True, init=False)
class Account:
    """The credentials and the base address with which requests are sent.

    >>> Account("bDqJFiq9", "7bz1lzh9")
    Account(api_key='bDqJFiq9', api_secret=********, base_url='https://api.itniotech.com/voice')

    `base_url` is what precedes `/sipAdd`; other brands of the API have other addresses. It has one spelling (see
    `normal_base_url`), because it is part of the ledger's key. Raises `AccountError`
    for a key, secret or address that cannot be used.
    """

    api_key: str
    api_secret: Secret
    base_url: str
    source: str = field(compare=False, repr=False)  # where it comes from, in words

    def __init__(
        self,
        api_key: str,
        api_secret: str | Secret,
        base_url: str = DEFAULT_BASE_URL,
        *,
        source: str = "the program that made it",
    ) -> None:
        secret = api_secret if isinstance(api_secret, Secret) else Secret(api_secret)
        del api_secret  # from here on, a traceback that shows variables shows the mask
        for name, value in (("api_key", api_key), ("api_secret", secret), ("base_url", ""), ("source", source)):
            object.__setattr__(self, name, value)  # before any check: a traceback may show this object half made
        _require("key", bool(api_key), api_key.isascii() and _is_clean(api_key))
        _require("secret", bool(secret.reveal()), _is_clean(secret.reveal()))
        object.__setattr__(self, "base_url", normal_base_url(base_url))

    @property
    def is_loopback(self) -> bool:
        """Whether the address is one of this machine."""
        return is_loopback(self.base_url)

    @property
    def is_sandbox(self) -> bool:
        """Whether it is a sandbox's: by its key and its address. Any other on this machine may be a tunnel's end."""
        return self.is_loopback and self.api_key.startswith(SANDBOX_PREFIX)

    @classmethod
    def is_configured(cls, folder: Path | None = None) -> bool:
        """Tell whether there is anything that `from_env` reads. Raises `AccountError` as it does, the keyring apart."""
        return find_settings(folder).is_given

    @classmethod
    def from_env(cls, folder: Path | None = None, *, profile: str | None = None) -> Account:
        """Read `ITNIO_API_KEY`, `ITNIO_API_SECRET` and, where set, `ITNIO_BASE_URL`, all from one source.

        That is the profile of the keyring that is asked for, by `profile` or by `ITNIO_PROFILE`; else the environment
        where any of the three is set there; else the nearest `.env` file in `folder` (default: the current one) or
        above, up to the home folder or the first folder of another owner; else what `itnio-nb login` has kept. Nothing
        is taken from two: an address that somebody else has written must never get our signatures.
        Raises `AccountError` that names exactly the variables that are missing, or says why the file is not trusted.
        """
        settings = read_settings(folder, profile)
        return cls(*settings.complete(folder), settings.base_url or DEFAULT_BASE_URL, source=settings.source)


def _require(name: str, is_given: bool, is_usable: bool) -> None:
    """Raise `AccountError` for a key or secret that cannot be one; its text never gets here."""
    if not is_given:
        raise AccountError(f"The API {name} is empty: set ITNIO_API_{name.upper()}, or give it to Account(...).")
    if not is_usable:
        raise AccountError(f"The API {name} has blanks around it or characters that no {name} has: copy it again.")


def _is_clean(text: str) -> bool:
    return text == text.strip() and text.isprintable()
