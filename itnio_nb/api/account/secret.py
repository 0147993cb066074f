"""A text that is never shown, calls whose variables are not, addresses and an environment without it."""

from __future__ import annotations

import hmac
import os
import re
import traceback
from collections.abc import Callable
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar
from urllib.parse import unquote

from itnio_nb.errors import ItnioError

MASK = "********"
P = ParamSpec("P")
T = TypeVar("T")


# What a server's address may say in its parameters and everybody may read.
_SHOWN = re.compile(
    "(host|hostaddr|port|dbname|user|service|sslmode|sslrootcert|target_session_attrs|load_balance_hosts|"
    r"connect_timeout|application_name|channel_binding)=[\w.,:/%+~-]*"
)
_PLACES = re.compile(r"((\[[^]@]*\]|[^]\[@:/,]*)(:\d*)?(,|$))*")  # hosts, each with a port or without


def child_environment() -> dict[str, str]:
    """Return the environment for a program that sends nothing: this one's, without key, secret and passwords."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ITNIO_API_")}
    kept.pop("PGPASSWORD", None)
    ledger = kept.get("ITNIO_LEDGER", "")
    if hide_passwords(ledger) != ledger:
        del kept["ITNIO_LEDGER"]
    return kept


def hide_passwords(address: str) -> str:
    """Return a path, or the address of a server without the passwords that are in it; what is no address is hidden.

    >>> hide_passwords("postgresql://anna:7bz1lzh9@db.example.com/phones?sslmode=verify-full")
    'postgresql://anna:********@db.example.com/phones?sslmode=verify-full'
    """
    scheme, mark, rest = address.partition("://")
    if not mark or (scheme == "sqlite" and rest.startswith("/")):
        return MASK if re.search(r"password\s*=", address, re.IGNORECASE) else address
    before, asks, parameters = rest.partition("?")
    whose, at, place = before.rpartition("@")
    user, has_password, _ = whose.partition(":")
    if "@" in parameters or not _PLACES.fullmatch(place.partition("/")[0]):  # a password may have a mark in it
        return f"{scheme}://{MASK}"
    shown = "&".join(map(_shown_parameter, parameters.split("&")))
    return f"{scheme}://{user}{has_password and f':{MASK}'}{at}{place}{asks}{shown if asks else ''}"


def _shown_parameter(parameter: str) -> str:
    if _SHOWN.fullmatch(parameter):
        return parameter
    return f"password={MASK}" if unquote(parameter.partition("=")[0]).lower() == "password" else MASK


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


def private_frames(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function of which no traceback shows what it calls: in those frames are headers, bodies or passwords.

    Tools that show variables (`%xmode Verbose`, `pytest -l`, rich) keep to the arguments of the function itself.
    Whatever it raises, interrupts too, has no other error behind it; a note tells where a mistake of ours was made.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - it is raised again below, without its frames
            failure = _without_frames(error)
        raise failure

    return call


def _without_frames(error: BaseException) -> BaseException:
    if not isinstance(error, ItnioError) and isinstance(error, Exception):
        last = traceback.extract_tb(error.__traceback__)[-1]
        error.add_note(f"raised in {last.name}, line {last.lineno} of {last.filename}; its variables are private")
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
