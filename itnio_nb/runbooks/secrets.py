"""Find secrets in texts, however they are written there, and mask them: the API secret, signatures, passwords."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from html import unescape
from urllib.parse import unquote_plus

from itnio_nb.api.account.account import Account
from itnio_nb.api.models import now
from itnio_nb.api.signing import sign

_ROUNDS = 3  # JSON in HTML in an address: so often are escapes undone one after the other
_NESTED = 2  # base64 in base64
_ALIGNED = 4_000  # characters: a longer run of base64 is a picture or a file, and begins where it begins
_SHORTEST = 6  # characters: what is left of a secret when its escapes are undone, and is still its own
_HOUR = 3600
MASK = "********"
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([nrtbf])|([^\w\s]))")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_TAG = re.compile(r"<[!/]?[A-Za-z][^<>]*>")
_TWO_LINES = re.compile(r"(?<![0-9A-Za-z])([0-9A-Za-z]++)[ \t]*\r?\n[ \t]*(?=([0-9A-Za-z]+))")
_LINE_END = re.compile(r"[ \t]*\r?\n[ \t]*")
_QUOTES = str.maketrans("", "", "'\"`\\")
_BYTES = re.compile(r"[\x80-\xff]{2,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}(?:\s{1,2}[A-Za-z0-9+/_-]{4,})*")
_URL_SAFE = str.maketrans("-_", "+/", "\n\r\t ")
_HEX = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{2}(?:[ :-]?[0-9A-Fa-f]{2}){5,}")
_NUMBERS = re.compile(r"\d{1,3}(?:\s*[,;]?\s+\d{1,3}){5,}|\d{1,3}(?:,\d{1,3}){5,}")
_WORD = re.compile(r"[0-9A-Za-z]+")
_MD5 = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{32}(?![0-9A-Za-z])")


def views(text: str, nested: int = _NESTED, decoded: set[int] | None = None) -> Iterator[str]:
    r"""Yield a text as it is, and as it was before others escaped, quoted, coloured, marked up or encoded it.

        any("c4n4ry" in view for view in views("<td>c4n&#52;ry</td>"))      # True

    Undone, one within the other too, are HTML entities, `%41`, `\x41 \u0041 \101 \n`, tags, quotes, lines that were
    broken, and runs of base64, of hexadecimal digits and of the numbers of bytes. Out of reach: compression,
    encryption, another order, and what a program puts together. `decoded` has the hashes of runs that were decoded
    before: each is once, however often it stands there.
    """
    seen: set[int] = set()
    decoded = set() if decoded is None else decoded
    for view in map(partial(_COLOUR.sub, ""), _unescaped(text)):
        halves = "\n".join(map("".join, _TWO_LINES.findall(view)))  # of words that a line has broken
        for shown in (view, _TAG.sub("", view), _LINE_END.sub("", view), halves, view.translate(_QUOTES)):
            if hash(shown) not in seen:
                seen.add(hash(shown))
                yield shown
                if nested:
                    for inner in _decoded(shown, decoded):
                        yield from views(inner, nested - 1, decoded)
    yield "".join(_WORD.findall(_COLOUR.sub("", text)))  # in a column one character wide, in a list of characters


def _unescaped(text: str) -> Iterator[str]:
    """Yield a text, and what is left of it each time that a kind of escapes is undone."""
    yield text
    for _ in range(_ROUNDS):
        before = text
        for undo in (unescape, _unescape_backslashes, _decode_bytes, unquote_plus):
            undone = undo(text)
            if undone != text:
                text = undone
                yield text
        if text == before:
            return


def _unescape_backslashes(text: str) -> str:
    def undone(found: re.Match[str]) -> str:
        *codes, octal, control, other = found.groups()
        if octal:
            return chr(int(octal, 8))
        if control or other:
            return _CONTROLS[control] if control else other
        number = int(next(filter(None, codes)), 16)
        return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else found[0]

    return _ESCAPE.sub(undone, text) if "\\" in text else text


def _decode_bytes(text: str) -> str:
    """Return a text with the bytes of UTF-8, each shown as a character of its own, as what they stand for."""
    return _BYTES.sub(lambda found: found[0].encode("latin-1").decode("utf-8", "replace"), text)


def _decoded(text: str, known: set[int]) -> Iterator[str]:
    """Yield what the runs of base64, hexadecimal digits and numbers in a text stand for, but for those `known`."""

    def new(pattern: re.Pattern[str]) -> list[str]:
        runs = {hash((pattern, run)): run for run in pattern.findall(text)}
        found = [run for key, run in runs.items() if key not in known]
        known.update(runs)
        return found

    runs = [found.translate(_URL_SAFE) for found in new(_BASE64)]
    for begin in range(4):  # where it begins is not known: letters may stand before it
        parts = (_from_base64(run[begin:]) for run in runs if begin == 0 or len(run) < _ALIGNED)
        yield from _joined(parts)
    yield from _joined(bytes.fromhex(re.sub("[ :-]", "", found)) for found in new(_HEX))
    numbers = ([int(number) for number in re.findall(r"\d+", found)] for found in new(_NUMBERS))
    yield from _joined(bytes(number for number in run if number < 256) for run in numbers)


def _from_base64(run: str) -> bytes:
    try:
        return b64decode(run[: len(run) // 4 * 4] + {2: f"{run[-2:]}==", 3: f"{run[-3:]}="}.get(len(run) % 4, ""))
    except NotBase64:
        return b""


def _joined(parts: Iterable[bytes]) -> Iterator[str]:
    """Yield pieces of bytes as one text, if there are any."""
    if whole := b"\n".join(filter(None, parts)):
        yield whole.decode("utf-8", "replace")
        if b"\0" in whole:
            yield from (whole[begin:].decode("utf-16-le", "replace") for begin in (0, 1))


class SecretFinder:
    """Finds and masks the API secret, request signatures and passwords of phones in texts.

        finder = SecretFinder(account, since=now())
        finder.add_passwords(["x8Kq2mPz"])
        finder.find("it is x8Kq2mPz")       # 'the password of a phone'
        finder.mask("it is x8Kq2mPz")       # 'it is ********'

    `since` is the time from which signatures are looked for, `until` the time up to which (default: now), each with an
    hour around it; `ahead` are the seconds by which the server's clock is ahead of this one.
    """

    def __init__(self, account: Account, since: datetime, until: datetime | None = None, ahead: float = 0) -> None:
        secret = account.api_secret.reveal()
        self._account = account
        self._span = since, until, int(ahead)
        shortest = min(_SHORTEST, len(secret))
        self._needles = sorted(
            {view for view in views(secret, nested=0) if len(view.strip()) >= shortest}, key=len, reverse=True
        )
        begun = [secret[:length] for length in range(len(secret) - 1, max(7, len(secret) // 2), -1)]
        words = "|".join(map(re.escape, begun))  # a table cuts what is too long
        self._cut = re.compile(rf"(?:{words})(?:\.\.\.|…)") if words else None
        self._signatures: set[str] = set()
        self._signed_until = 0  # the second up to which signatures are known
        self._words: set[str] = set()  # passwords of letters and digits alone
        self._odd: re.Pattern[str] | None = None  # any others

    def add_passwords(self, passwords: Iterable[str]) -> None:
        """Look for these too, as whole words."""
        known = {password for password in passwords if password}
        odd = {
            view
            for password in known
            if not _WORD.fullmatch(password)
            for view in views(password, nested=0)
            if view.strip()
        }
        self._words |= {password for password in known if _WORD.fullmatch(password)}
        if odd:
            before = [self._odd.pattern] if self._odd else []
            self._odd = re.compile("|".join([*before, *map(re.escape, sorted(odd, key=len, reverse=True))]))

    def find(self, text: str) -> str:
        """Return what a text contains, "" for none of them."""
        return next(filter(None, map(self._find_in, views(text))), "")

    def _find_in(self, view: str) -> str:
        if any(needle in view for needle in self._needles) or (self._cut and self._cut.search(view)):
            return f"the API secret of …{self._account.api_key[-4:]}"
        if any(self._is_signature(found) for found in set(_MD5.findall(view))):
            return "a signature"
        if self._words and not self._words.isdisjoint(_WORD.findall(view)):
            return "the password of a phone"
        return "the password of a phone" if self._odd and self._odd.search(view) else ""

    def mask(self, text: str) -> str:
        """Return a text without them: each is masked where it stands, and a line is withheld that hides one."""
        if not self.find(text):
            return text
        masked = self._masked(text)
        if not self.find(masked):
            return masked
        lines = [f"[withheld: {what}]" if (what := self.find(line)) else line for line in masked.splitlines()]
        masked = "\n".join(lines)
        return f"[withheld: {what}]" if (what := self.find(masked)) else masked

    def _masked(self, text: str) -> str:
        """Replace what stands in a text as it is."""
        for needle in self._needles:
            text = text.replace(needle, MASK)
        text = _MD5.sub(lambda found: MASK if self._is_signature(found[0]) else found[0], text)
        text = _WORD.sub(lambda found: MASK if found[0] in self._words else found[0], text)
        return self._odd.sub(MASK, text) if self._odd else text

    def _is_signature(self, candidate: str) -> bool:
        """Return whether it is a signature that was valid in the time that is looked at, with an hour around it."""
        since, until, ahead = self._span  # requests have the server's time
        begin = int(since.timestamp()) - _HOUR + min(0, ahead)
        end = int((until or now()).timestamp()) + _HOUR + max(0, ahead)
        key, secret = self._account.api_key, self._account.api_secret
        self._signatures.update(sign(key, secret, second) for second in range(self._signed_until or begin, end))
        self._signed_until = max(self._signed_until, end)
        return candidate.lower() in self._signatures
