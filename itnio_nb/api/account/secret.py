"""A text that is never shown, calls whose variables are not, and an environment without it."""

from __future__ import annotations

import hmac
import os
import traceback
from collections.abc import Callable
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

from itnio_nb.errors import ItnioError

MASK = "********"
P = ParamSpec("P")
T = TypeVar("T")


def child_environment() -> dict[str, str]:
    """Return the environment for a program that sends nothing: this one's, without key and secret."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ITNIO_API_")}


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
