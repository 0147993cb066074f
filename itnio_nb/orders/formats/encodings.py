"""Which encoding a text file is in, and its text as UTF-8."""

from __future__ import annotations

import codecs

from itnio_nb.errors import InputError

_SAMPLE = 1 << 20  # bytes that an encoding is detected from
_BYTE_ORDER_MARKS = (  # those of UTF-32 first: the mark of UTF-16 begins like one of them
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def to_utf8(name: str, data: bytes, encoding: str | None) -> tuple[bytes, str]:
    """Return the text of a file as UTF-8 without a byte order mark, and which encoding it was in."""
    if encoding is None or encoding.lower().replace("-", "").replace("_", "") in ("utf8", "utf8sig"):
        while data.startswith(codecs.BOM_UTF8):  # some programs write it twice
            data = data.removeprefix(codecs.BOM_UTF8)
    detected = "" if encoding else detect_encoding(data)
    if detected == "utf-8":
        return data, detected
    wanted = encoding or detected or "utf-8"
    try:
        text = data.decode("utf-8" if wanted == "utf-8-sig" else wanted)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name} is not {wanted} text (row {row}, byte {error.start}): save it as CSV UTF-8, "
            "or say what it is: encoding='cp1252' (western Excel) or 'gb18030' (Chinese Excel)."
        ) from None
    except (LookupError, UnicodeError):
        raise InputError(f"There is no encoding {encoding!r}: try 'utf-8', 'gb18030' or 'cp1252'.") from None
    details = f"{detected}, detected" if detected else wanted
    return text.removeprefix("\ufeff").encode("utf-8", "replace"), details


def detect_encoding(data: bytes) -> str:
    """Return the encoding by its mark, else the first that fits: UTF-8, UTF-16, Chinese, western; "" if none does."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return encoding
    sample = data[:_SAMPLE]
    if b"\0" not in sample and _decodes(data, "utf-8"):
        return "utf-8"
    for at, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(sample) > 3 and sample[at::2].count(0) > 0.4 * len(sample[at::2]) and not sample[1 - at :: 2].count(0):
            return encoding
    if _looks_chinese(sample):
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
