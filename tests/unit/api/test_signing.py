"""The signature and the headers of a request."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from itnio_nb import Account, Secret, sign, signed_headers

texts = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1)


def test_published_vector() -> None:
    """The signature of the document's own sample."""
    assert sign("bDqJFiq9", "7bz1lzh9", 1630468800) == "05d7a50893e22a5c4bb3216ae3396c7c"
    assert sign("bDqJFiq9", Secret("7bz1lzh9"), "1630468800") == "05d7a50893e22a5c4bb3216ae3396c7c"


@given(texts, texts, st.integers(0, 10**11))
def test_sign_is_md5_of_the_three_in_order(key: str, secret: str, timestamp: int) -> None:
    """MD5 of key + secret + time, UTF-8, 32 lower-case hexadecimal digits, for any text."""
    assert sign(key, secret, timestamp) == hashlib.md5(f"{key}{secret}{timestamp}".encode()).hexdigest()


def test_headers_are_the_four_of_the_document() -> None:
    """Names, order and values of the sample request."""
    assert signed_headers(Account("bDqJFiq9", "7bz1lzh9"), 1630468800) == {
        "Content-Type": "application/json;charset=UTF-8",
        "Api-Key": "bDqJFiq9",
        "Timestamp": "1630468800",
        "Sign": "05d7a50893e22a5c4bb3216ae3396c7c",
    }
