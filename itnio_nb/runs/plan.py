"""Orders into groups, each compared with the ledger and the live account: what will be sent, before it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import IO

import pandas as pd

from itnio_nb.api.account import Account
from itnio_nb.api.client import Client
from itnio_nb.api.listing import GroupInventory, Inventory
from itnio_nb.api.models import API_COLUMNS, GONE, Action, PhoneGroup, State, phone_groups
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError, StalePlanError
from itnio_nb.ledger.ledger import Ledger, LedgerEntry
from itnio_nb.orders.check import check_orders, invalid_rows
from itnio_nb.orders.export import orders_from_json, orders_to_json
from itnio_nb.orders.models import FINDING_COLUMNS, split_orders
from itnio_nb.orders.read import read_orders
from itnio_nb.runs.plan_files import damaged, read_plan_file, write_plan_file
from itnio_nb.runs.results import show_html, show_text

_NOTHING_HELD = Inventory({}, {})
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
    loaded: bool = False  # from a file: compared with account and ledger anew before it is submitted

    @property
    def summary(self) -> str:
        """The plan in one line.

        `Plan: 12 groups to create (340 phones), 3 already exist, 2 rows invalid, 1 in doubt.`
        """
        action = self.table["action"]
        create = int((action == Action.CREATE).sum())
        exist, doubt = int((action == Action.EXISTS).sum()), int((action == Action.IN_DOUBT).sum())
        invalid = len(invalid_rows(self.findings))
        return (
            f"Plan: {plural(create, 'group')} to create ({plural(self.phones, 'phone')}), "
            f"{exist:,} already exist{'s' * (exist == 1)}, {plural(invalid, 'row')} invalid, {doubt:,} in doubt."
        )

    @property
    def phones(self) -> int:
        """How many phones it creates: the number to be confirmed."""
        return int(self.table["quantity"][self.table["action"] == Action.CREATE].sum())

    def first(self, n: int) -> Plan:
        """Return a plan of the first `n` groups that are to be created: a trial, before the rest.

            submit_plan(plan.first(3), client, ledger).wait()

        All of them, where there are fewer; an order of 130 phones is three groups. The orders stay whole: results
        list the others as not sent. What it creates makes a saved plan of the whole stale: plan again.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise InputError(f"A trial has a whole number of groups from 1, as in plan.first(3), not {n!r}.")
        table = self.table[self.table["action"] == Action.CREATE].head(n).reset_index(drop=True)
        return replace(self, table=table, fingerprint=fingerprint(table, self.made_for))

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the plan to a file, to be reviewed or submitted by somebody else; return its path.

            plan.save("plan.json")
            submit_plan(Plan.load("plan.json"), client, ledger)     # in another process, on another day

        JSON, without any secret; an earlier plan of that name is replaced, any other file is not (`InputError`).
        """
        again = [[*key, receipt] for key, receipt in self.again.items()]
        groups = self.table.to_dict("split", index=False)
        contents = {"account": self.made_for, "fingerprint": self.fingerprint, "groups": groups, "again": again}
        return write_plan_file(path, {**contents, "orders": orders_to_json(self.orders, self.findings)})

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Plan:
        """Read a plan that `save` wrote. `submit_plan` refuses it if it has become stale since.

        Raises `InputError` for a file that is no saved plan, or was changed or damaged.
        """
        contents = read_plan_file(path)
        try:
            table = pd.DataFrame(**contents["groups"])
            made_for = tuple(contents["account"]) if contents["account"] else None
            again = {(app_id, name): int(receipt) for app_id, name, receipt in contents["again"]}
            orders, findings = orders_from_json(contents["orders"])
            plan = cls(orders, findings, table, fingerprint(table, made_for), made_for, again, loaded=True)
            expected = [*API_COLUMNS, "action", "row", "why"], list(FINDING_COLUMNS)
            whole = (
                plan.fingerprint == contents["fingerprint"]
                and (list(table.columns), list(findings.columns)) == expected
                and set(table["action"]) <= set(Action)
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            raise damaged(path) from None
        if not whole:
            raise damaged(path)
        return plan

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
    listings: dict[str, Inventory] = {}
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
    made_for = account_key(client.account) if client is not None else None
    findings = _with(findings, _gone(table, entries))
    return Plan(orders, findings, table, fingerprint(table, made_for), made_for, again)


def account_key(account: Account) -> tuple[str, str]:
    """Return what tells an account from another: base address and API key."""
    return account.base_url, account.api_key


def fingerprint(table: pd.DataFrame, made_for: tuple[str, str] | None) -> str:
    """Return the SHA-256 of the groups' wire fields in order and of the account: no actions, no time."""
    digest = hashlib.sha256(json.dumps(made_for or []).encode())
    for group in phone_groups(table):
        digest.update(json.dumps(group.to_wire()).encode())
    return digest.hexdigest()


def _look_at(client: Client, orders: pd.DataFrame) -> tuple[dict[str, Inventory], list[tuple[object, ...]]]:
    """List each application once. One that the account refuses becomes an error of its rows."""
    listings: dict[str, Inventory] = {}
    refused: list[tuple[object, ...]] = []
    for app_id in orders["appId"].unique():
        try:
            listings[app_id] = client.fetch_inventory(app_id)
        except InputError:
            advice = "Check the application id; the account may be another one."
            rows = orders.index[orders["appId"] == app_id]
            refused += [(row, "appId", app_id, "is refused by the account", advice, "error") for row in rows]
    return listings, refused


def _decide(group: PhoneGroup, listing: Inventory, entry: LedgerEntry | None, recreate: bool) -> tuple[Action, str]:
    held = listing.groups.get(group.group_name)
    if held:
        return Action.EXISTS, _why_exists(group, held, entry)
    if entry is None or entry.state in _SENT_AGAIN:
        owner = listing.phone_names.get(group.phone_name)
        return (
            Action.CREATE,
            f"likely to be refused: the phone name belongs to group {owner} of the account" if owner else "",
        )
    when = f"in run {entry.run}"
    if entry.state in (State.UNKNOWN, State.SENDING):
        return Action.IN_DOUBT, f"sent {when}, and what became of it is not known"
    if recreate:
        return Action.CREATE, f"{entry.state} {when}, gone since; made again"
    return Action.IN_DOUBT, f"{entry.state} {when}, but {GONE} (recreate=True makes it again)"


def _why_exists(group: PhoneGroup, held: GroupInventory, entry: LedgerEntry | None) -> str:
    made = f", created in run {entry.run}" if entry and entry.state is State.CREATED else ""
    return f"the account has it: {held.differences(group) or plural(held.phones, 'phone')}{made}"


def _gone(table: pd.DataFrame, entries: dict[tuple[str, str], LedgerEntry]) -> list[tuple[object, ...]]:
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


def groups_to_keep(plan: Plan) -> pd.DataFrame:
    """Return the plan's groups as the ledger keeps them: its table, and `again_after`."""
    keys = zip(plan.table["appId"], plan.table["groupName"], strict=True)
    return plan.table.assign(again_after=pd.Series([plan.again.get(key) for key in keys], dtype=object))


def require_current(plan: Plan, client: Client, ledger: Ledger) -> None:
    """Raise `StalePlanError` if a group of the plan needs another action now than it did then.

    Account and ledger are asked anew; nothing is sent. The error's `differences` has a row for each such group.
    """
    changed = differences(plan, make_plan(plan.orders, client, ledger, recreate=bool(plan.again)))
    if changed.empty:
        return
    told = [
        f"{name}: {then} → {now}{f' ({why})' if why else ''}"
        for name, then, now, why in changed[["groupName", "planned", "now", "why"]].head(3).to_numpy().tolist()
    ]
    more = f"; and {len(changed) - 3:,} more (the error's .differences has all)" if len(changed) > 3 else ""
    groups = f"{len(changed):,} of its {plural(len(plan.table), 'group')} need{'s' * (len(changed) == 1)}"
    raise StalePlanError(
        f"The saved plan is stale: {groups} something else now. {'; '.join(told)}{more}. Nothing was sent. "
        "Plan again with make_plan(plan.orders, client, ledger), and confirm what it shows.",
        differences=changed,
    )


def differences(plan: Plan, fresh: Plan) -> pd.DataFrame:
    """Return the groups of a plan whose action in a fresh plan differs: `row appId groupName planned now why`."""
    both = plan.table.merge(fresh.table, how="left", on=list(API_COLUMNS), suffixes=("", "_now"))
    both["now"] = both["action_now"].astype(object).fillna("invalid")
    both["why"] = both["why_now"].astype(object).fillna("its row has an error now: see the findings of a new plan")
    keys = list(zip(both["appId"], both["groupName"], strict=True))
    sent_since = pd.Series([plan.again.get(key) != fresh.again.get(key) for key in keys], dtype=bool)
    both.loc[sent_since & (both["action"] == both["now"]), ["now", "why"]] = ["create anew", "sent again since"]
    columns = ["row", "appId", "groupName", "action", "now", "why"]
    changed = both.loc[both["action"] != both["now"], columns].rename(columns={"action": "planned"})
    return changed.reset_index(drop=True)
