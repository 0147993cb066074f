"""Files that are no spreadsheet that can be read: which kind they are, and the step that helps."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import PurePath

_SAVE = "open it in a spreadsheet program and save it as XLSX"
_BEGINNINGS = (  # bytes at the beginning, what it is, the step that helps
    (b"%PDF", "a PDF", "copy its table into a spreadsheet, compare each cell, and save that as XLSX"),
    (b"\x89PNG", "a picture", "type the orders into a spreadsheet, or ask for the file that it shows"),
    (b"\xff\xd8\xff", "a picture", "type the orders into a spreadsheet, or ask for the file that it shows"),
    (b"GIF8", "a picture", "type the orders into a spreadsheet, or ask for the file that it shows"),
    (b"II*\0", "a picture", "type the orders into a spreadsheet, or ask for the file that it shows"),
    (b"\x1f\x8b", "compressed with gzip", "unpack it first, then give the file inside"),
    (b"BZh9", "compressed with bzip2", "unpack it first, then give the file inside"),
    (b"\xfd7zXZ", "compressed with xz", "unpack it first, then give the file inside"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first, then give the file inside"),
    (b"Rar!", "a RAR archive", "unpack it first, then give the file inside"),
    (b"{\\rtf", "a text document (RTF)", "copy its table into a spreadsheet and save that as XLSX"),
    (b"L\0\0\0\x01\x14\x02\0", "a shortcut to a file", "give the file that it leads to"),
    (b"[InternetShortcut]", "a shortcut to an address", "open it, and download what it leads to as XLSX"),
    (b"bplist", "a shortcut or a list of settings", "open it, and download what it leads to as XLSX"),
    (b"SQLite format 3", "a database", "export its table as CSV UTF-8"),
    (b"MZ\x90\0", "a program", "give the spreadsheet instead"),
)
_OLE_PARTS = (  # the name of a part, as it stands in the file
    ("EncryptedPackage", "protected by a password", "open it with the password, remove it, and save it again"),
    ("WordDocument", "a Word document", "copy its table into a spreadsheet and save that as XLSX"),
    ("PowerPoint Document", "a presentation", "copy its table into a spreadsheet and save that as XLSX"),
    ("__properties_version1.0", "an e-mail", "save what is attached to it, and give that file"),
)
_ZIP_PARTS = (
    ("word/", "a Word document", "copy its table into a spreadsheet and save that as XLSX"),
    ("ppt/", "a presentation", "copy its table into a spreadsheet and save that as XLSX"),
    ("Index/Document.iwa", "a Numbers or Pages document", "export it as Excel (XLSX) there"),
    ("Index/Tables/", "a Numbers document", "export it as Excel (XLSX) there"),
)


def foreign_kind(data: bytes) -> tuple[str, str]:
    """Return what a file is, if no table can be read from it, and what to do; two "" for one that may be a table.

    >>> foreign_kind(b"%PDF-1.7")
    ('a PDF', 'copy its table into a spreadsheet, compare each cell, and save that as XLSX')
    """
    for beginning, what, step in _BEGINNINGS:
        if data.startswith(beginning):
            return what, step
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        parts = ((what, step) for part, what, step in _OLE_PARTS if part.encode("utf-16-le") in data)
        return next(parts, ("", ""))
    if data.startswith(b"PK\x03\x04"):
        return _zip_kind(data)
    return _text_kind(data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n"))


def _zip_kind(data: bytes) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            names = [name.replace("\\", "/") for name in parts.namelist()]  # as some programs write them
            if any(entry.flag_bits & 1 for entry in parts.infolist()):
                return "protected by a password", "open it with the password, remove it, and save it again"
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "damaged, or not all of it was copied", "copy it once more, or save it again as XLSX"
    for part, what, step in _ZIP_PARTS:
        if any(name.startswith(part) for name in names):
            return what, step
    if "content.xml" in names or any(name.lower().startswith("xl/") for name in names):
        return "", ""
    inside = ", ".join(PurePath(name).name for name in names[:3])
    return f"a ZIP archive ({inside[:60]})", "unpack it first, then give the file inside"


def _text_kind(beginning: bytes) -> tuple[str, str]:
    lower = beginning.lower()
    if b"urn:schemas-microsoft-com:office:spreadsheet" in lower:
        return "a spreadsheet in the old XML format (2003)", _SAVE
    if re.match(rb"<(!doctype html|html|head|body|meta|style|table|div|script)\b", lower) or b"<html" in lower[:1000]:
        return "a web page (HTML), whatever its name says", _SAVE
    if lower.startswith((b"<?xml", b"<plist")):
        return "XML", _SAVE
    if lower.startswith(b"{") and (b'"doc_id"' in lower or b'"url"' in lower):
        return "a shortcut to an online spreadsheet", "open it there, and download it as Microsoft Excel (XLSX)"
    if re.match(rb'[\[{]\s*["\[{]', lower):
        return "JSON", "make a table of it, as with pandas.read_json, and give that"
    if re.match(rb"(received|return-path|mime-version|delivered-to): ", lower):
        return "an e-mail", "save what is attached to it, and give that file"
    return "", ""
