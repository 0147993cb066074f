"""Compare the ledger with the phones that really exist, resolve what is unknown, and report differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.listing.inventory import GroupInventory, Inventory
from itnio_nb.api.models import PhoneGroup, Receipt, State, phone_groups
from itnio_nb.errors import InputError, ItnioError
from itnio_nb.ledger.claims import Resolution
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.ledger.run_store import RunStore
from itnio_nb.runs.reconcile.resolver import for_each, resolve_unknown
from itnio_nb.runs.reconcile.rules import UnknownGroup

REPORT_COLUMNS = ("appId", "groupName", "before", "after", "asked", "found", "advice")
_FOREIGN = "The account has it, and this ledger has not made it: created elsewhere."
_NOT_SETTLED = "Not settled: no two whole listings agree about it yet. reconcile(client, ledger) looks again."


def reconcile(client: Client, ledger: Ledger, *, unknown_only: bool = False) -> pd.DataFrame:
    """Compare the ledger with the phones that really exist, and resolve what is unknown; nothing is sent.

        report = reconcile(client, ledger)
        report[report["advice"] != ""]      # what was resolved, and what differs

    One row for each group that the ledger has of this account, or that its applications have besides: `appId groupName
    before after asked found advice`. `before` and `after` are states in the ledger, "" for a group that it never made;
    `asked` and `found` are phones. What needs attention comes first.
    `unknown_only` lists the applications alone that have a group whose outcome is unknown, and reports these groups.
    Raises `AccountError` and `ServiceError` where the account cannot be asked; what was resolved until then stays so.
    """
    if not (isinstance(client, Client) and isinstance(ledger, Ledger)):
        raise InputError("A ledger is compared with what a client lists: reconcile(client, ledger).")
    table = ledger.table_for(client.account)
    if unknown_only:
        table = table[table["appId"].isin(table["appId"][table["state"] == State.UNKNOWN])]
    parts = [(str(app_id), part) for app_id, part in table.groupby("appId", sort=False)]
    created = ledger.created_groups(client.account)
    looked = for_each(parts, lambda one: _resolve_known(client, *one, created.get(one[0], ())))
    errors = [found for found in looked if isinstance(found, ItnioError)]
    if errors and len(errors) == len(parts) and (raised := [e for e in errors if not isinstance(e, InputError)]):
        raise raised[0]
    rows: list[tuple[object, ...]] = []
    for (app_id, part), found in zip(parts, looked, strict=True):
        rows += _report_application(ledger.run_store, app_id, part, found)
    report = pd.DataFrame(rows, columns=list(REPORT_COLUMNS))
    report = report[report["before"] == State.UNKNOWN] if unknown_only else report
    return report.sort_values("advice", key=lambda advice: advice == "", kind="stable", ignore_index=True)


def _report_application(
    store: RunStore, app_id: str, part: pd.DataFrame, found: tuple[dict[Any, Receipt], Inventory] | ItnioError
) -> list[tuple[object, ...]]:
    """Return the report's rows of one application, and write what its listings resolve."""
    groups = dict(zip(part.index, phone_groups(part), strict=True))
    states = dict(zip(part.index, map(State, part["state"]), strict=True))
    not_listed = str(found) if isinstance(found, ItnioError) else ""
    resolved, inventory = ({}, Inventory({})) if isinstance(found, ItnioError) else found
    resolutions = {Resolution(int(part["receipt"][at]), receipt): at for at, receipt in resolved.items()}
    after = {resolutions[one]: one.receipt for one in store.write_resolutions(list(resolutions))}
    left, rows = dict(inventory.groups), list[tuple[object, ...]]()
    for at, group in groups.items():
        held, receipt = inventory.find(group.group_name), after.get(at)
        left.pop(group.group_name, None)
        now_is = receipt.state if receipt else states[at]
        advice = receipt.advice if receipt else not_listed or _drift(group, states[at], held, inventory)
        phones = held.phones if held else 0
        rows.append((app_id, group.group_name, str(states[at]), str(now_is), group.quantity, phones, advice))
    return rows + [(app_id, name, "", "", 0, held.phones, _FOREIGN) for name, held in left.items()]


def _resolve_known(
    client: Client, app_id: str, part: pd.DataFrame, created: Sequence[PhoneGroup]
) -> tuple[dict[Any, Receipt], Inventory]:
    """Resolve what the ledger has as unknown, and what was absent once and is there now: it was shown late."""
    groups = dict(zip(part.index, phone_groups(part), strict=True))

    def list_phones() -> Inventory:
        return client.fetch_inventory(app_id).learn_writing(created)

    of_unknown = part[part["state"] == State.UNKNOWN]
    columns = (of_unknown[name] for name in ("tried", "status", "reason"))
    unknown = {
        at: UnknownGroup(groups[at], bool(tried), status, said)
        for at, tried, status, said in zip(of_unknown.index, *columns, strict=True)
    }
    resolved, inventory = resolve_unknown(list_phones, unknown)
    absent = part.index[part["state"].isin(State.SENDABLE) & part["tried"].astype(bool)]
    late = {at: UnknownGroup(groups[at], tried=True) for at in absent if inventory.find(groups[at].group_name)}
    if late:
        found, inventory = resolve_unknown(list_phones, late)
        resolved |= found
    return resolved, inventory


def _drift(group: PhoneGroup, state: State, held: GroupInventory | None, inventory: Inventory) -> str:
    """Return how ledger and account differ about a group, "" where they agree."""
    if state is State.SENDING:
        return "It is being sent: look again afterwards."
    if state is State.UNKNOWN:
        return _NOT_SETTLED
    if state not in State.PRESENT:
        return _FOREIGN if held else ""
    if held is None:
        return "It is no longer there. Was it deleted? make_plan(..., recreate=True) makes it again."
    differs = inventory.differences(group) if state is State.CREATED else ""
    return f"Changed since: {differs}." if differs else ""
