"""An empty table for a colleague to fill in: headers, one example, and cells that refuse what the API would."""

from __future__ import annotations

import io
import os
from pathlib import Path

from itnio_nb.api.models import API_COLUMNS, LIMITS
from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.orders.export.files import write_atomically
from itnio_nb.orders.export.tables import new_workbook
from itnio_nb.orders.models import EXAMPLE

_ROWS = 10_000  # that have the format of text and are looked at as they are typed
_NAMES = f"{LIMITS.name_min} to {LIMITS.name_max} characters"
_DIGITS = f"{LIMITS.display_min} to {LIMITS.display_max} digits, no blanks: with country code and area code"
_NAME_RULE = f"=AND(LEN({{cell}})>={LIMITS.name_min},LEN({{cell}})<={LIMITS.name_max})"
_DIGITS_RULE = f"=AND(ISNUMBER(-{{cell}}),LEN({{cell}})>={LIMITS.display_min},LEN({{cell}})<={LIMITS.display_max})"
# What each column is, for whoever fills it in or has to find it.
COLUMN_WORDS = {
    "groupName": f"The name of a group of phones: {_NAMES}.",
    "phoneName": f"How its phones are called: {_NAMES}.",
    "quantity": "How many phones: a whole number from 1.",
    "displayNum": f"The number that a call shows: {_DIGITS}.",
    "appId": "The id of the voice application, from the ITNIO console.",
}
# By column the formula that its cells must keep. Cells are text, which a minus makes a number.
_RULES = {
    "groupName": _NAME_RULE,
    "phoneName": _NAME_RULE,
    "quantity": "=AND(ISNUMBER(-{cell}),-{cell}<=-1,MOD(-{cell},1)=0)",
    "displayNum": _DIGITS_RULE,
    "appId": "=LEN(TRIM({cell}))>0",
}


def write_template(path: str | os.PathLike[str]) -> Path:
    """Write an XLSX for a colleague to fill in: the five headers, an example, cells that are checked; return the path.

        write_template("phones.xlsx")

    Every cell is text, so that no 0 is lost. The example is to be written over: as it is, it reads without an error,
    and with a warning. Raises `InputError` where the file exists, or cannot be written.
    """
    try:
        path = Path(path)
        if path.exists():
            raise InputError(f"{path} exists: choose another name, or delete it first.")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _workbook())
    except (OSError, TypeError, ValueError) as error:
        raise InputError(f"{path!s} cannot be written ({os_error_reason(error)}): choose another path.") from None
    return path


def _workbook() -> bytes:
    data = io.BytesIO()
    with new_workbook(data) as book:
        sheet = book.add_worksheet("Orders")
        text, bold = book.add_format({"num_format": "@"}), book.add_format({"num_format": "@", "bold": True})
        example = book.add_format({"num_format": "@", "italic": True, "font_color": "#666666"})
        sheet.set_column(0, len(API_COLUMNS) - 1, 22, text)
        for place, name in enumerate(API_COLUMNS):
            words, rule = COLUMN_WORDS[name], _RULES[name]
            sheet.write_string(0, place, name, bold)
            sheet.write_comment(0, place, words, {"author": "itnio-nb"})
            sheet.write_string(1, place, EXAMPLE[name], example)
            checked = {"validate": "custom", "value": rule.format(cell=f"{chr(ord('A') + place)}2")}
            sheet.data_validation(1, place, _ROWS, place, checked | {"error_title": name, "error_message": words})
        sheet.freeze_panes(1, 0)
    return data.getvalue()
