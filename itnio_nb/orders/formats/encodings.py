"""Which encoding a text file is in, and its text as UTF-8."""

from __future__ import annotations

import codecs
import re
import unicodedata

from itnio_nb.api.text import shortened
from itnio_nb.errors import InputError

_SAMPLE = 1 << 20  # bytes that an encoding is detected from
_BYTE_ORDER_MARKS = (  # those of UTF-32 first: the mark of UTF-16 begins like one of them
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


_GUESSED = ("gb18030", "cp1252")
# As which a text may be meant that was read as one of those: it is shown as they read it.
_ALSO = (
    *("cp1254", "cp1250", "cp1251", "cp1253", "cp1255", "cp1256", "cp1257", "cp874", "big5", "euc-kr", "shift_jis"),
    *("euc_jp", "koi8-r", "iso8859-5", "mac_roman", "cp1252"),
)
_SHOWN = 3  # other readings


def to_utf8(name: str, data: bytes, encoding: str | None) -> tuple[bytes, str, str]:
    """Return the text of a file as UTF-8 without a mark, which encoding it was in, and that again if it is a guess."""
    if encoding is None or encoding.lower().replace("-", "").replace("_", "") in ("utf8", "utf8sig"):
        while data.startswith(codecs.BOM_UTF8):  # some programs write it twice
            data = data.removeprefix(codecs.BOM_UTF8)
    detected = "" if encoding else detect_encoding(data)
    if detected == "utf-8":
        return data, detected, ""
    wanted = encoding or detected or "utf-8"
    try:
        text = data.decode("utf-8" if wanted == "utf-8-sig" else wanted)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name} is not {wanted} text (row {row}, byte {error.start}): save it as XLSX, or as CSV UTF-8."
        ) from None
    except (LookupError, UnicodeError):
        raise InputError(f"There is no encoding {shortened(encoding)!r}: try 'utf-8', 'gb18030' or 'cp1252'.") from None
    details = f"{detected}, detected" if detected else wanted
    guess = detected if detected in _GUESSED else ""
    if guess and _is_garbage(text[:_SAMPLE]):
        raise InputError(
            f"{name} has letters in an encoding that cannot be told: save it as XLSX, or as CSV UTF-8, in the program "
            "that shows them right."
        )
    return text.removeprefix("\ufeff").encode("utf-8", "replace"), details, guess


def other_readings(cell: str, guess: str) -> str:
    """Return how a text would read in other encodings than the one that was guessed, the likeliest first."""
    data, readings = cell.encode(guess, "replace"), dict[str, str]()
    for encoding in _ALSO:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text.isprintable() and text != cell:
            readings.setdefault(text, encoding)
    likeliest = sorted(readings, key=_oddness)[:_SHOWN]
    return ", ".join(f"{shortened(text)} ({readings[text]})" for text in likeliest)


def _oddness(text: str) -> tuple[int, int]:
    """Return how many words of a text mix scripts, or letters and signs, and how many Latin letters have an accent."""
    kinds = (
        {unicodedata.name(char, "?").split()[0] for char in word} for word in re.split(r"[\x00-\x2f\x3a-\x40]+", text)
    )
    return sum(len(kind) > 1 for kind in kinds), sum("\xc0" <= char <= "\u024f" for char in text)


def _is_garbage(text: str) -> bool:
    """Whether too many of the characters beyond ASCII are no letters: signs, fractions, controls."""
    foreign = [char for char in text if char > "\x7f"]
    odd = sum(not unicodedata.category(char).startswith(("L", "M", "P", "Zs")) for char in foreign)
    return odd > 0.25 * len(foreign)


def detect_encoding(data: bytes) -> str:
    """Return the encoding by its mark, else the first that fits: UTF-8, UTF-16, Chinese, western; "" if none does."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return encoding
    sample = data[:_SAMPLE]
    if b"\0" not in sample and (data.isascii() or _decodes(data, "utf-8")):
        return "utf-8"
    for at, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(sample) > 3 and sample[at::2].count(0) > 0.4 * len(sample[at::2]) and not sample[1 - at :: 2].count(0):
            return encoding
    if _looks_chinese(sample) and _decodes(data, "gb18030"):
        return "gb18030"
    return "cp1252" if b"\0" not in data and _decodes(data, "cp1252") else ""


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _looks_chinese(sample: bytes) -> bool:
    """Whether most characters that are not ASCII are common Chinese ones."""
    text = sample.decode("gb18030", "replace")
    foreign = [char for char in text if char > "\x7f"]
    common = sum(len(char.encode("gb2312", "ignore")) == 2 and "\u4e00" <= char <= "\u9fff" for char in foreign)
    marks = sum(char in "，。：；（）、“”《》　" or "\uff01" <= char <= "\uff5e" for char in foreign)
    return bool(foreign) and common + marks > 0.6 * len(foreign)
