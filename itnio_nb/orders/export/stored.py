"""Orders and findings as JSON: what a plan and a run keep of them."""

from __future__ import annotations

import json
from dataclasses import asdict

import pandas as pd

from itnio_nb.orders.models import SOURCE, Repair, Source
from itnio_nb.orders.text_columns import DTYPE


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


def orders_from_json(text: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the orders and findings that `orders_to_json` wrote."""
    kept = json.loads(text)
    rows = pd.Index(kept["rows"], name="row", dtype="int64")
    orders = pd.DataFrame(kept["cells"], index=rows, columns=kept["columns"], dtype=object).astype(DTYPE)
    source = kept["source"]
    for name in {"headers", "columns", "sheets"} & source.keys():
        source[name] = tuple(source[name])
    # Earlier versions kept each repair with its names.
    source["repairs"] = tuple(Repair(**one) if isinstance(one, dict) else Repair(*one) for one in source["repairs"])
    orders.attrs[SOURCE] = Source(**source)
    return orders, pd.DataFrame(**kept["findings"], dtype=object).astype({"row": "int64"})
