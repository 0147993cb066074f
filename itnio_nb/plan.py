"""Orders into groups, each compared with the ledger and the live account: what will be sent, before it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from os import PathLike
from typing import IO

import pandas as pd

from itnio_nb.check import check_orders, invalid_rows
from itnio_nb.client import Client
from itnio_nb.errors import InputError
from itnio_nb.ledger import Entry, Ledger
from itnio_nb.model import (
    API_COLUMNS,
    SOURCE,
    Action,
    PhoneGroup,
    Repair,
    Source,
    State,
    count,
    phone_groups,
    split_orders,
)
from itnio_nb.read import read_orders
from itnio_nb.review import show_html, show_text
from itnio_nb.settle import Held, Listing, look
from itnio_nb.signing import Account

_NOTHING_HELD = Listing({}, {})
_SENT_AGAIN = (State.PLANNED, State.REFUSED)  # nothing was created: nothing stands in the way


@dataclass(frozen=True, eq=False)
class Plan:
    """The groups in order, each with the action it needs. Nothing was sent.

    It shows itself in a cell: its summary line, its groups, and the findings that keep rows out of it.
    """

    orders: pd.DataFrame  # as `read_orders` gave them
    findings: pd.DataFrame  # as `check_orders` gave them, and what the account and the ledger add
    table: pd.DataFrame  # one row for each group: API columns, `action row why`
    fingerprint: str  # SHA-256 of the wire fields in order and of the account
    made_for: tuple[str, str] | None  # base address and API key; None for a plan made without a client
    again: dict[tuple[str, str], int]  # (appId, groupName) to be made again -> the receipt of its first making

    @property
    def summary(self) -> str:
        """The plan in one line.

        `Plan: 12 groups to create (340 phones), 3 already exist, 2 rows invalid, 1 in doubt.`
        """
        action = self.table["action"]
        create = self.table[action == Action.CREATE]
        exist, doubt = int((action == Action.EXISTS).sum()), int((action == Action.IN_DOUBT).sum())
        invalid = len(invalid_rows(self.findings))
        phones = count(int(create["quantity"].sum()), "phone")
        return (
            f"Plan: {count(len(create), 'group')} to create ({phones}), {exist:,} already exist{'s' * (exist == 1)}, "
            f"{count(invalid, 'row')} invalid, {doubt:,} in doubt."
        )

    def __repr__(self) -> str:
        return show_text(self.summary, self.table, self._doubtful())

    def _repr_html_(self) -> str:
        return show_html(self.summary, self.table, self._doubtful())

    def _doubtful(self) -> pd.DataFrame:
        """Return the findings that keep a row out of the plan, or make it doubtful."""
        return self.findings[self.findings["severity"] != "repaired"]


def make_plan(
    orders: pd.DataFrame | str | PathLike[str] | bytes | IO[bytes],
    client: Client | None = None,
    ledger: Ledger | None = None,
    *,
    recreate: bool = False,
) -> Plan:
    """Turn orders into groups of at most 50 phones, each with the action it needs; nothing is sent.

        plan = make_plan(read_orders("phones.xlsx"), client, ledger)
        plan.summary

    Actions: `create`; `exists` (the account has the group); `in doubt` (the ledger does not know what became
    of it, or it was made once and is gone: `recreate=True` makes the latter again). Without a client nothing
    is asked: neither the account nor the ledger, which knows a group by its account. Rows with errors are left
    out and counted. Raises `ItnioError` where the account cannot be asked.
    """
    orders = read_orders(orders)
    findings = check_orders(orders)
    listings: dict[str, Listing] = {}
    if client is not None:
        sound = orders[~orders.index.isin(invalid_rows(findings))]
        listings, refused = _look_at(client, sound)
        findings = _with(findings, refused)
    groups = split_orders(orders[~orders.index.isin(invalid_rows(findings))])
    entries = ledger.entries(client.account) if ledger is not None and client is not None else {}
    asked = list(phone_groups(groups))
    decided = [
        _decide(
            group, listings.get(group.app_id, _NOTHING_HELD), entries.get((group.app_id, group.group_name)), recreate
        )
        for group in asked
    ]
    table = groups[list(API_COLUMNS)].assign(
        action=[str(action) for action, _ in decided], row=groups["row"], why=[why for _, why in decided]
    )
    again = {
        (group.app_id, group.group_name): entry.receipt
        for group, (action, _) in zip(asked, decided, strict=True)
        if action is Action.CREATE
        and (entry := entries.get((group.app_id, group.group_name)))
        and entry.state not in _SENT_AGAIN
    }
    account = client.account if client is not None else None
    made_for = (account.base_url, account.api_key) if account is not None else None
    findings = _with(findings, _gone(table, entries))
    return Plan(orders, findings, table, fingerprint(table, account), made_for, again)


def fingerprint(table: pd.DataFrame, account: Account | None) -> str:
    """Return the SHA-256 of the groups' wire fields in order and of the account: no actions, no time."""
    digest = hashlib.sha256(json.dumps([account.base_url, account.api_key] if account else []).encode())
    for group in phone_groups(table):
        digest.update(json.dumps(group.to_wire()).encode())
    return digest.hexdigest()


def _look_at(client: Client, orders: pd.DataFrame) -> tuple[dict[str, Listing], list[tuple[object, ...]]]:
    """List each application once. One that the account refuses becomes an error of its rows."""
    listings: dict[str, Listing] = {}
    refused: list[tuple[object, ...]] = []
    for app_id in orders["appId"].unique():
        try:
            listings[app_id] = look(client, app_id)
        except InputError:
            advice = "Check the application id; the account may be another one."
            rows = orders.index[orders["appId"] == app_id]
            refused += [(row, "appId", app_id, "is refused by the account", advice, "error") for row in rows]
    return listings, refused


def _decide(group: PhoneGroup, listing: Listing, entry: Entry | None, recreate: bool) -> tuple[Action, str]:
    held = listing.groups.get(group.group_name)
    if held:
        return Action.EXISTS, _why_exists(group, held, entry)
    if entry is None or entry.state in _SENT_AGAIN:
        owner = listing.phone_names.get(group.phone_name)
        return Action.CREATE, f"likely to be refused: group {owner} of the account has this phone name" if owner else ""
    when = f"in run {entry.run}"
    if entry.state in (State.UNKNOWN, State.SENDING):
        return Action.IN_DOUBT, f"sent {when}, and what became of it is not known"
    if recreate:
        return Action.CREATE, f"{entry.state} {when}, gone since; made again"
    return Action.IN_DOUBT, f"{entry.state} {when}, but no longer in the account (recreate=True makes it again)"


def _why_exists(group: PhoneGroup, held: Held, entry: Entry | None) -> str:
    made = f", created in run {entry.run}" if entry and entry.state is State.CREATED else ""
    return f"the account has it: {held.differs(group) or count(held.phones, 'phone')}{made}"


def _gone(table: pd.DataFrame, entries: dict[tuple[str, str], Entry]) -> list[tuple[object, ...]]:
    """Return a warning for each group that was made once and is no longer in the account."""
    advice = "Was it deleted? make_plan(..., recreate=True) makes it again."
    doubtful = table[table["action"] == Action.IN_DOUBT]
    return [
        (
            row,
            "groupName",
            name,
            f"was {entry.state} in run {entry.run} and is no longer in the account",
            advice,
            "warning",
        )
        for row, name, app_id in zip(doubtful["row"], doubtful["groupName"], doubtful["appId"], strict=True)
        if (entry := entries[app_id, name]).state not in (State.UNKNOWN, State.SENDING)
    ]


def _with(findings: pd.DataFrame, more: list[tuple[object, ...]]) -> pd.DataFrame:
    if not more:
        return findings
    added = pd.DataFrame([*findings.itertuples(index=False, name=None), *more], columns=findings.columns)
    return added.sort_values("row", kind="stable", ignore_index=True)


def pack_orders(plan: Plan) -> str:
    """Return a plan's orders and findings as JSON: what a run keeps, so that any later process can review it."""
    source: Source = plan.orders.attrs[SOURCE]
    return json.dumps(
        {
            "source": asdict(source),
            "rows": plan.orders.index.tolist(),
            "columns": plan.orders.columns.tolist(),
            "cells": plan.orders.to_numpy().tolist(),
            "findings": plan.findings.to_dict("split", index=False),
        }
    )


def unpack_orders(packed: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the orders and findings that `pack_orders` packed."""
    kept = json.loads(packed)
    orders = pd.DataFrame(kept["cells"], index=kept["rows"], columns=kept["columns"], dtype=object)
    source = kept["source"]
    for name in ("headers", "columns"):
        source[name] = tuple(source[name])
    source["repairs"] = tuple(Repair(**repair) for repair in source["repairs"])
    orders.attrs[SOURCE] = Source(**source)
    return orders, pd.DataFrame(**kept["findings"])
