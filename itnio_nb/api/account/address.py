"""Base addresses of the API: one spelling each, and only what a request really connects to."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from itnio_nb.api.text import shortened
from itnio_nb.errors import AccountError

DEFAULT_BASE_URL = "https://api.itniotech.com/voice"
_ADVICE = f"Write it like {DEFAULT_BASE_URL} (ITNIO_BASE_URL)."
_PORTS = {"http": 80, "https": 443}
# An address in all its spellings: what is not in here is read in one way by one library and in another by the next.
_ADDRESS = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(\d*))?(/[\w.~/-]*)?", re.ASCII | re.IGNORECASE)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")  # the last label of what is taken for a number of IP version 4
_LONGEST_NAME = 253


def normal_base_url(base_url: object) -> str:
    """Return an address in its one spelling; raise `AccountError` for what is no address of the API.

    >>> normal_base_url(" HTTPS://API.itniotech.com.:443//voice/ ")
    'https://api.itniotech.com/voice'

    Lower case scheme and host, no default port, no dot at the end of the host, single slashes and none at the end. A
    user name, a query, a fragment, percent signs, dot segments, and letters beyond ASCII are refused.
    """
    text = base_url.strip(" \t\r\n") if isinstance(base_url, str) else ""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise AccountError(f"{_problem(text)} {_ADVICE}")
    scheme, host, digits, path = found[1].lower(), _normal_host(found[2].lower()), found[3] or "", found[4] or ""
    if digits and not 0 < int(digits[:9]) < 1 << 16:
        raise AccountError(f"The base address has port {shortened(digits)}: ports are 1 to 65535. {_ADVICE}")
    segments = [one for one in path.split("/") if one]
    if {".", ".."} & set(segments):
        raise AccountError(f"The base address has . or .. in its path: write where they lead to. {_ADVICE}")
    port = f":{int(digits)}" if digits and int(digits) != _PORTS[scheme] else ""
    return "/".join([f"{scheme}://{host}{port}", *segments])


def is_loopback(base_url: str) -> bool:
    """Tell whether an address in its one spelling is of this machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _problem(text: str) -> str:
    """Return what is wrong with an address. It is not repeated where a password may be in it."""
    if "@" in text:
        return "The base address must not carry a user name or a password."
    if "?" in text or "#" in text:
        return "The base address must not carry a query or a fragment."
    if not text.isascii():
        return "The base address has letters that only look like those of the alphabet, or are not in it."
    if "%" in text or "\\" in text or not text.isprintable() or " " in text:
        return "The base address has blanks, control characters, a percent sign or a backslash in it."
    return f"The base address {shortened(text)!r} is not an http address."


def _normal_host(host: str) -> str:
    """Return a host in its one spelling; raise `AccountError` for none, and for a number that is read in two ways."""
    if host.startswith("["):
        try:
            return f"[{IPv6Address(host[1:-1]).compressed}]"
        except ValueError:
            raise AccountError(f"The base address has the host {host}, which is no address. {_ADVICE}") from None
    name = host.removesuffix(".")
    labels = name.split(".")
    if len(name) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise AccountError(f"The base address has the host {shortened(host)}, which is no name. {_ADVICE}")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return ip_address(name).compressed
        except ValueError:
            problem = f"The base address has the host {shortened(host)}, a number that programs read in two ways"
            raise AccountError(f"{problem}: write all four parts. {_ADVICE}") from None
    return name
