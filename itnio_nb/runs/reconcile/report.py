"""Compare the ledger with the phones that really exist, resolve what is unknown, and report differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Event
from typing import Any

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.listing.inventory import GroupInventory, Inventory
from itnio_nb.api.listing.parallel import for_each
from itnio_nb.api.models import PhoneGroup, Receipt, State, phone_groups
from itnio_nb.errors import InputError, ItnioError
from itnio_nb.ledger.claims import Resolution
from itnio_nb.ledger.database.database import until
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.runs.reconcile.resolver import AT_ONCE, resolve_unknown
from itnio_nb.runs.reconcile.rules import UnknownGroup

REPORT_COLUMNS = ("appId", "groupName", "before", "after", "asked", "found", "advice")
_FOREIGN = "The account has it, and this ledger has not made it: created elsewhere."
_NOT_WRITTEN = (
    "Not settled: this ledger can only be read here. Whoever may write to it does: reconcile(client, ledger)."
)
_NOT_SETTLED = "Not settled: no two whole listings agree about it yet. reconcile(client, ledger) looks again."


def reconcile(
    client: Client, ledger: Ledger, *, app_ids: Iterable[str] | None = None, unknown_only: bool = False
) -> pd.DataFrame:
    """Compare the ledger with the phones that really exist, and resolve what is unknown; nothing is sent.

        report = reconcile(client, ledger)
        report[report["advice"] != ""]      # what was resolved, and what differs

    One row for each group that the ledger has of this account, or that its applications have besides: `appId groupName
    before after asked found advice`. `before` and `after` are states in the ledger, "" for a group that it never made;
    `asked` and `found` are phones. What needs attention comes first.
    `app_ids` are the applications to compare (default: all that the ledger has of this account). `unknown_only` lists
    those alone that have a group whose outcome is unknown, and reports these groups. Raises `AccountError` and
    `ServiceError` where the account cannot be asked; what was resolved until then stays so; `InputError` for `app_ids`
    that is one text.
    """
    if not (isinstance(client, Client) and isinstance(ledger, Ledger)):
        raise InputError("A ledger is compared with what a client lists: reconcile(client, ledger).")
    parts = _by_application(ledger.table_for(client.account), app_ids, unknown_only=unknown_only)
    created = ledger.pages.created_groups(client.account)
    stopping = Event()

    def report_of(app_id: str) -> list[tuple[object, ...]]:
        def list_phones() -> Inventory:
            return client.fetch_inventory(app_id, stopping, created.get(app_id, ()))

        return _report_application(list_phones, ledger, app_id, parts[app_id], stopping)

    reports = for_each(parts, report_of, stopping, AT_ONCE)
    errors = [found for found in reports.values() if isinstance(found, ItnioError)]
    if errors and len(errors) == len(parts) and (raised := [e for e in errors if not isinstance(e, InputError)]):
        raise raised[0]
    rows: list[tuple[object, ...]] = []
    for app_id, found in reports.items():
        if isinstance(found, ItnioError):
            found = _report(app_id, parts[app_id], {}, Inventory({}), str(found))
        rows += found
    report = pd.DataFrame(rows, columns=list(REPORT_COLUMNS))
    report = report[report["before"] == State.UNKNOWN] if unknown_only else report
    return report.sort_values("advice", key=lambda advice: advice == "", kind="stable", ignore_index=True)


def _by_application(
    table: pd.DataFrame, app_ids: Iterable[str] | None, *, unknown_only: bool
) -> dict[str, pd.DataFrame]:
    """Return what the ledger has of each application that is to be listed, nothing of those that it does not know."""
    if isinstance(app_ids, str):
        raise InputError(f"Applications are given as a list: app_ids=[{app_ids!r}].")
    asked = list(dict.fromkeys(table["appId"] if app_ids is None else app_ids))
    if unknown_only:
        unknown = set(table["appId"][table["state"] == State.UNKNOWN])
        asked = [app_id for app_id in asked if app_id in unknown]
    known = {str(app_id): part for app_id, part in table.groupby("appId", sort=False)}
    return {str(app_id): known.get(app_id, table.iloc[:0]) for app_id in asked}


def _report_application(
    list_phones: Callable[[], Inventory], ledger: Ledger, app_id: str, part: pd.DataFrame, stopping: Event
) -> list[tuple[object, ...]]:
    """Return the report's rows of one application, and write what its listings resolve.

    That is what the ledger has as unknown, and what was absent once and is there now: it was shown late. Where the
    ledger can only be read, nothing is resolved, and the report says so.
    """
    is_open = not ledger.database.is_read_only
    groups = dict(zip(part.index, phone_groups(part), strict=True))
    after: dict[Any, Receipt] = {}

    def write(resolved: dict[Any, Receipt]) -> None:
        resolutions = {Resolution(int(part["receipt"][at]), receipt): at for at, receipt in resolved.items()}
        written = ledger.run_store.write_resolutions(list(resolutions))
        after.update({resolutions[one]: one.receipt for one in written})

    of_unknown = part[(part["state"] == State.UNKNOWN) & is_open]
    columns = (of_unknown["tried"].astype(bool), of_unknown["status"], of_unknown["reason"])
    ends = until(ledger.database, of_unknown["ended_by"])
    facts = zip(of_unknown.index, *columns, ends, strict=True)
    unknown = {at: UnknownGroup(groups[at], *known) for at, *known in facts}
    inventory = resolve_unknown(list_phones, unknown, write, stopping)
    absent = part.index[part["state"].isin(State.SENDABLE) & part["tried"].astype(bool) & is_open]
    late = {at: UnknownGroup(groups[at], tried=True) for at in absent if inventory.find(groups[at].group_name)}
    inventory = resolve_unknown(list_phones, late, write, stopping) if late else inventory
    return _report(app_id, part, after, inventory, not_settled=_NOT_SETTLED if is_open else _NOT_WRITTEN)


def _report(
    app_id: str,
    part: pd.DataFrame,
    after: dict[Any, Receipt],
    inventory: Inventory,
    not_listed: str = "",
    not_settled: str = _NOT_SETTLED,
) -> list[tuple[object, ...]]:
    """Return the rows of one application; `after` has what was resolved, `not_listed` why there is no inventory.

    `not_settled` is said of what stays unknown.
    """
    states = map(State, part["state"])
    left, rows = dict(inventory.groups), list[tuple[object, ...]]()
    for at, group, state in zip(part.index, phone_groups(part), states, strict=True):
        held, receipt = inventory.find(group.group_name), after.get(at)
        left.pop(inventory.shown_name(group.group_name), None)
        now_is = receipt.state if receipt else state
        kept = not_settled if state is State.UNKNOWN else _drift(group, state, held, inventory)
        advice = receipt.advice if receipt else not_listed or kept
        phones = held.phones if held else 0
        rows.append((app_id, group.group_name, str(state), str(now_is), group.quantity, phones, advice))
    return rows + [(app_id, name, "", "", 0, held.phones, _FOREIGN) for name, held in left.items()]


def _drift(group: PhoneGroup, state: State, held: GroupInventory | None, inventory: Inventory) -> str:
    """Return how ledger and account differ about a group, "" where they agree."""
    if state is State.SENDING:
        return "It is being sent: look again afterwards."
    if state not in State.PRESENT:
        return _FOREIGN if held else ""
    if held is None:
        return "It is no longer there. Was it deleted? make_plan(..., recreate=True) makes it again."
    differs = inventory.differences(group) if state is State.CREATED else ""
    return f"Changed since: {differs}." if differs else ""
