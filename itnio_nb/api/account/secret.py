"""A text that is never shown."""

from __future__ import annotations

import hmac
from typing import NoReturn

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
