"""The operator's own cells as a spreadsheet again, with what is wrong coloured and told in a comment."""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import zipfile
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import xlsxwriter

from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.orders.models import FINDING_COLUMNS, SOURCE, Repair, Source
from itnio_nb.orders.read import read_orders
from itnio_nb.orders.text_columns import DTYPE

# Readable with black text, and told apart without colours by the comment's first word.
_COLOURS = {"error": "#F8B4B4", "warning": "#FFE699", "repaired": "#C6E0B4"}
_WORST = tuple(_COLOURS)
_MARK = "itnio-nb: orders to be mended"  # in the file's properties
_COMMENT = 1500  # characters; a spreadsheet shows no more at a glance


def write_findings(orders: pd.DataFrame, findings: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write the orders as XLSX, as they came, for the colleague who made them; return the path.

        write_findings(orders, findings, "phones-to-mend.xlsx")

    Every cell stands where it stood, as text, with its own header. A cell with a finding is red (`error`), yellow
    (`warning`) or green (`repaired`, shown as it was before), and its comment says what is wrong and what to do.
    Mended and saved, the file can be read with `read_orders`. A file of that name is replaced if it was written so
    before, and by nobody else (`InputError`).
    """
    if list(findings.columns) != list(FINDING_COLUMNS):
        raise InputError("The findings are those of check_orders: write_findings(orders, check_orders(orders), path).")
    orders = read_orders(orders)
    source: Source = orders.attrs[SOURCE]
    try:
        path = Path(path)
        if path.exists() and not _is_ours(path):
            raise InputError(f"{path} exists and holds something else: choose another name, such as to-mend.xlsx.")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _workbook(orders, source, findings))
    except (OSError, TypeError, ValueError) as error:  # a path can be wrong in many ways
        raise InputError(
            f"The findings cannot be written to {path!s} ({os_error_reason(error)}): choose another path."
        ) from None
    return path


def _is_ours(path: Path) -> bool:
    """Whether a file is one that was written here."""
    try:
        with zipfile.ZipFile(path) as parts:
            return _MARK in parts.read("docProps/core.xml").decode("utf-8", "replace")
    except (OSError, KeyError, zipfile.BadZipFile):
        return False


def _workbook(orders: pd.DataFrame, source: Source, findings: pd.DataFrame) -> bytes:
    data = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(data, options) as book:
        book.set_properties({"comments": _MARK})
        text = book.add_format({"num_format": "@"})
        bold = book.add_format({"num_format": "@", "bold": True})
        marked = {name: book.add_format({"num_format": "@", "bg_color": colour}) for name, colour in _COLOURS.items()}
        sheet = book.add_worksheet("Orders")
        first = max(source.header_row, 1) - 1
        columns = {name: number for number, name in enumerate(source.columns)}
        for number, header in enumerate(source.headers):
            sheet.write_string(first, number, _writable(header), bold)
        for name, number in columns.items():
            for row, cell in zip(orders.index.tolist(), orders[name].tolist(), strict=True):
                if cell:
                    sheet.write_string(row - 1, number, _writable(cell), text)
        known = findings[findings["row"].isin(orders.index)]
        for _, told in known.groupby(["row", "column"], sort=False):
            worst = min(told["severity"], key=_WORST.index)
            place = int(told["row"].iloc[0]) - 1, columns[told["column"].iloc[0]]
            before = told["value"][told["severity"] == "repaired"]
            cell = before.iloc[0] if len(before) else told["value"].iloc[0]
            sheet.write_string(*place, _writable(cell), marked[worst])
            sheet.write_comment(*place, _comment(told), {"x_scale": 2.5, "y_scale": 1.5, "author": "itnio-nb"})
        sheet.freeze_panes(first + 1, 0)
        sheet.set_column(0, max(len(columns) - 1, 0), 20)
    return data.getvalue()


def _comment(told: pd.DataFrame) -> str:
    """Return what is to be said of one cell: how bad it is, what it is, what to do."""
    lines = [
        f"{severity}: {problem}. {advice}"
        for severity, problem, advice in told[["severity", "problem", "advice"]].to_numpy().tolist()
    ]
    return _writable("\n".join(lines))[:_COMMENT]


def _writable(text: str) -> str:
    """Return a text as a spreadsheet can hold it: at most 32,767 characters, and none that XML has not."""
    return re.sub("[\ud800-\udfff\ufffe\uffff]", "\ufffd", text)[:32767]


def write_atomically(path: Path, contents: bytes) -> None:
    """Write beside the file, then put it in its place: a reader never meets half of it, a failure leaves no trace.

    Raises `OSError`.
    """
    unfinished = path.with_name(f".{secrets.token_hex(8)}.tmp")  # a name that nobody has, and nobody can foresee
    try:
        with unfinished.open("xb") as file:
            file.write(contents)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def orders_to_json(orders: pd.DataFrame, findings: pd.DataFrame) -> str:
    """Return orders and findings as JSON: what a run keeps, so that any later process can review it."""
    source: Source = orders.attrs[SOURCE]
    return json.dumps(
        {
            "source": asdict(source),
            "rows": orders.index.tolist(),
            "columns": orders.columns.tolist(),
            "cells": orders.to_numpy().tolist(),
            "findings": findings.to_dict("split", index=False),
        }
    )


def orders_from_json(packed: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the orders and findings that `orders_to_json` packed."""
    kept = json.loads(packed)
    rows = pd.Index(kept["rows"], name="row", dtype="int64")
    orders = pd.DataFrame(kept["cells"], index=rows, columns=kept["columns"], dtype=object).astype(DTYPE)
    source = kept["source"]
    for name in ("headers", "columns"):
        source[name] = tuple(source[name])
    # Earlier versions kept each repair with its names.
    source["repairs"] = tuple(
        Repair(**repair) if isinstance(repair, dict) else Repair(*repair) for repair in source["repairs"]
    )
    orders.attrs[SOURCE] = Source(**source)
    return orders, pd.DataFrame(**kept["findings"], dtype=object).astype({"row": "int64"})
