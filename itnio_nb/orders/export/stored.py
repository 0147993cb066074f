"""Orders and findings as JSON: what a plan and a run keep of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.orders.models import FINDING_COLUMNS, SOURCE, Repair, Source
from itnio_nb.orders.text_columns import DTYPE

_SEVERITIES = {"error", "warning", "repaired"}
_NUMBERS, _LISTS = {"rows", "header_row"}, {"headers", "columns", "sheets"}  # fields of a source; else it has texts


_DAMAGED = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)  # by what reading fails


def orders_to_json(orders: pd.DataFrame, findings: pd.DataFrame) -> str:
    """Return orders and findings as JSON: what a run keeps, so that any later process can review it."""
    return json.dumps({**pack_orders(orders), "findings": findings.to_dict("split", index=False)})


def orders_from_json(text: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the orders and findings that `orders_to_json` wrote. Raises `ValueError` for any other text."""
    try:
        kept = json.loads(text)
        orders = _unpack(kept)
        return orders, _findings_of(kept["findings"], orders)
    except _DAMAGED as error:
        raise ValueError(f"these are no orders ({type(error).__name__}: {error})") from None


def pack_orders(orders: pd.DataFrame) -> dict[str, Any]:
    """Return orders, with their source and what was repaired in them, as values of JSON."""
    source: Source = orders.attrs[SOURCE]
    rows, columns = orders.index.tolist(), orders.columns.tolist()
    return {"source": asdict(source), "rows": rows, "columns": columns, "cells": orders.to_numpy().tolist()}


def unpack_orders(kept: dict[str, Any]) -> pd.DataFrame:
    """Return the orders that `pack_orders` gave. Raises `ValueError` for anything else."""
    try:
        return _unpack(kept)
    except _DAMAGED as error:
        raise ValueError(f"these are no orders ({type(error).__name__}: {error})") from None


def _unpack(kept: dict[str, Any]) -> pd.DataFrame:
    orders, source = _orders_of(kept), _source_of(kept["source"])
    _require(len(source.headers) == len(source.columns) and set(source.columns) <= set(orders.columns))
    orders.attrs[SOURCE] = source
    return orders


def require_texts(values: Sequence[Any]) -> Sequence[str]:
    """Return values that were kept; raise `TypeError` or `ValueError` where one is no text that a file can have."""
    "".join(values).encode()
    return values


def are_whole(values: Sequence[Any]) -> bool:
    """Tell whether values that were kept are whole numbers, of 64 bits at most."""
    return all(type(value) is int and abs(value) < 2**63 for value in values)


def _orders_of(kept: dict[str, Any]) -> pd.DataFrame:
    rows = pd.Index(kept["rows"], name="row", dtype="int64")
    orders = _table(kept["columns"], kept["cells"], rows)
    _require(are_whole(kept["rows"]) and rows.is_unique and (rows > 0).all())
    _require(orders.columns.is_unique and {*API_COLUMNS} <= {*orders.columns})
    _require_table_of_texts(orders)
    return orders.astype(DTYPE)


def _findings_of(kept: dict[str, Any], orders: pd.DataFrame) -> pd.DataFrame:
    findings = _table(**kept).astype({"row": "int64"})
    _require(findings.columns.tolist() == [*FINDING_COLUMNS] and set(findings["severity"]) <= _SEVERITIES)
    _require_table_of_texts(findings.drop(columns="row"))
    invalid = findings["row"][findings["severity"] == "error"]
    _require(invalid.isin(orders.index).all())
    _require(orders["quantity"][~orders.index.isin(invalid)].str.fullmatch("[0-9]{1,6}").all())
    return findings


def _source_of(kept: dict[str, Any]) -> Source:
    for name, value in kept.items():
        if name in _LISTS:
            kept[name] = tuple(require_texts(value))
        elif name in _NUMBERS:
            _require(are_whole([value]))
        elif name not in ("repairs", "numbers"):
            require_texts([value])
    # Earlier versions kept each repair with its names.
    kept["repairs"] = tuple(Repair(**one) if isinstance(one, dict) else Repair(*one) for one in kept["repairs"])
    for row, *texts in kept["repairs"]:
        column, *_, severity = require_texts(texts)
        _require(are_whole([row]) and column in API_COLUMNS and severity in _SEVERITIES)
    for column, runs in kept.get("numbers", {}).items():
        _require(column in API_COLUMNS and all(are_whole([first, last]) and first <= last for first, last in runs))
    return Source(**kept)


def _table(columns: list[str], data: list[list[object]], index: pd.Index | None = None) -> pd.DataFrame:
    _require(isinstance(data, list) and all(isinstance(row, list) and len(row) == len(columns) for row in data))
    return pd.DataFrame(data, index=index, columns=columns, dtype=object)


def _require_table_of_texts(table: pd.DataFrame) -> None:
    require_texts([*table.columns, *table.to_numpy().ravel().tolist()])


def _require(condition: object) -> None:
    if not condition:
        raise ValueError("these are no orders as they are kept")
