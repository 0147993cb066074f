"""Reconcile ledger and account: resolve unknown groups from listings, verify created ones, report differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import Any, TypeVar

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.listing import GroupInventory, Inventory, phones_seen
from itnio_nb.api.models import Action, PhoneGroup, Receipt, State, now, phone_groups
from itnio_nb.api.statuses import NAME_TAKEN
from itnio_nb.api.text import one_line, plural
from itnio_nb.errors import InputError, ItnioError
from itnio_nb.ledger.claims import Resolution
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.ledger.run_store import RunStore
from itnio_nb.runs.results import GroupStates

PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before each further listing, as long as there is no clear answer
REPORT_COLUMNS = ("appId", "groupName", "before", "after", "asked", "found", "advice")
_FOREIGN = "The account has it, and this ledger has not made it: created elsewhere."
_RESENDS = 3  # times that a group which listings have shown to be absent is sent again in one run

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class UnknownGroup:
    """A group whose outcome is unknown, and what is known of the tries to create it."""

    group: PhoneGroup
    taken: bool  # the last answer was that a name is taken: that try has created nothing
    tried: bool  # a try may have created it, and its answer was lost


def resolve_group(unknown: UnknownGroup, inventory: Inventory) -> Receipt:
    """Return what a listing shows of a group whose outcome is unknown.

    All its phones are there as asked → `created`, if a try of ours may have made them; some → `partial`; there
    otherwise → `exists`; none → `planned`. None after `-20`: its phone name is there → `refused`, else → `unknown`.
    """
    group, at = unknown.group, now()
    held = inventory.groups.get(group.group_name)
    status = NAME_TAKEN if unknown.taken else ""
    if held is None:
        return _resolve_taken(group, inventory) if unknown.taken else _absent(group)
    differs = held.differences(group)
    if not differs and unknown.tried:
        return Receipt(State.CREATED, "", "found in the account, as asked", "Created. Next: hand it over.", at)
    if unknown.tried and held.phones < group.quantity and not held.field_differences(group):
        some = f"{held.phones} of {group.quantity} phones"
        todo = f"Order {group.quantity - held.phones:,} under a new one."
        advice = f"{some} were created; it cannot be completed under this name. {todo}"
        return Receipt(State.PARTIAL, status, f"{some} are there", advice, at)
    reason = f"the group was there before: {differs}" if differs else "the group was there before, as asked"
    todo = "Choose another group name for what is missing." if differs else "Nothing to do."
    return Receipt(State.EXISTS, status, reason, f"Nothing was created. {todo}", at)


def _resolve_taken(group: PhoneGroup, inventory: Inventory) -> Receipt:
    owner = inventory.phone_names.get(group.phone_name)
    if owner:
        reason = f"the phone name is taken by group {one_line(owner)}"
        return Receipt(State.REFUSED, NAME_TAKEN, reason, "Nothing was created. Choose another phone name.", now())
    reason = "the server says that the name is taken, but the application shows neither the group nor the phone name"
    again = "resume(client, ledger) looks again; if it stays so, choose other names."
    return Receipt(State.UNKNOWN, NAME_TAKEN, reason, f"Nothing was created by this request. {again}", now())


def _absent(group: PhoneGroup) -> Receipt:
    at = now()
    reason = f"absent as of {at:%H:%M} UTC: two listings of application {group.app_id} do not have it"
    return Receipt(State.PLANNED, "", reason, "Nothing was created. It can be sent again.", at)


def resolve_unknown(
    client: Client, app_id: str, unknown: Mapping[Key, UnknownGroup], stopping: Event | None = None
) -> tuple[dict[Key, Receipt], Inventory]:
    """List an application until it is clear what became of each unknown group; return that and the last listing.

    A group whose phones are all there is believed at once, anything else when two listings agree in it and in their
    total, the second after a pause. What never becomes clear is left out. No request for these groups may be under way.
    Raises what `list_phones` raises.
    """
    resolved: dict[Key, Receipt] = {}
    inventory = client.fetch_inventory(app_id, stopping)
    for pause in (*PAUSES, None):
        receipts = {key: resolve_group(one, inventory) for key, one in unknown.items() if key not in resolved}
        resolved |= {key: receipt for key, receipt in receipts.items() if receipt.state is State.CREATED}
        if pause is None or len(resolved) == len(unknown):
            break
        (stopping or Event()).wait(pause)
        before, inventory = inventory, client.fetch_inventory(app_id, stopping)
        if inventory.total == before.total:
            names = {key: unknown[key].group.group_name for key in receipts}
            same = [key for key, name in names.items() if inventory.groups.get(name) == before.groups.get(name)]
            resolved |= {key: receipts[key] for key in same if receipts[key].state is not State.UNKNOWN}
        if len(resolved) == len(unknown):
            break
    return resolved, inventory


def verify_created(
    client: Client, created: Collection[PhoneGroup], inventories: dict[str, Inventory], stopping: Event
) -> list[int]:
    """Return how many phones of each created group are there, listing again where some are shown late.

    `inventories` has the last listing of each application; what it lacks is read. Raises what `list_phones` raises.
    """
    for pause in (*PAUSES, None):
        for app_id in {group.app_id: None for group in created}:
            if app_id not in inventories:
                inventories[app_id] = client.fetch_inventory(app_id, stopping)
        seen = [phones_seen(group, inventories[group.app_id]) for group in created]
        short = {group.app_id for group, there in zip(created, seen, strict=True) if there < group.quantity}
        if not short or pause is None:
            break
        stopping.wait(pause)
        for app_id in short:
            del inventories[app_id]
    return seen


class RunResolver:
    """Resolve the unknown groups of one run by listing their applications, and verify what it created.

    `found` counts, in words, what the listings showed of groups whose request had no clear answer.
    """

    def __init__(self, client: Client, store: RunStore, groups: Sequence[PhoneGroup], stopping: Event) -> None:
        self._client, self._store, self._groups, self._stopping = client, store, groups, stopping
        self._resent: Counter[int] = Counter()
        self.found: Counter[str] = Counter()

    def resolve(
        self, states: GroupStates, probe: str = ""
    ) -> tuple[list[int], dict[str, Inventory], ItnioError | None]:
        """Resolve what is unknown; return positions to send again, the last listings, and the first error.

        An application that cannot be listed keeps no other from being resolved. Where nothing is unknown, one small
        request for the application `probe` shows whether the account answers: its errors are raised.
        """
        unknown = [at for at, state in enumerate(states.known) if state == State.UNKNOWN]
        if probe and not unknown:
            self._client.count_phones(probe, self._stopping)
        again: list[int] = []
        inventories: dict[str, Inventory] = {}
        problem: ItnioError | None = None
        for app_id, part in states.kept.iloc[unknown].groupby("appId", sort=False) if unknown else ():
            try:
                inventories[str(app_id)] = self._resolve_application(str(app_id), part, again)
            except ItnioError as error:
                problem = problem or error
        return again, inventories, problem

    def _resolve_application(self, app_id: str, part: pd.DataFrame, again: list[int]) -> Inventory:
        """Resolve one application's groups and write what holds; add to `again` what is to be sent again."""
        rows: dict[int, dict[str, Any]] = part.to_dict("index")  # type: ignore[assignment] # its index is positions
        unknown = {at: self._as_sent(at, row) for at, row in rows.items()}
        resolved, inventory = resolve_unknown(self._client, app_id, unknown, self._stopping)
        resolutions = {Resolution(rows[at]["newest"], receipt): at for at, receipt in resolved.items()}
        for resolution in self._store.write_resolutions(list(resolutions)):
            at, state = resolutions[resolution], resolution.receipt.state
            if state is not State.PLANNED:
                self.found[str(state)] += not unknown[at].taken
            elif rows[at]["action"] != Action.CREATE:  # more than was confirmed is never made
                self.found["absent: plan again to create them"] += 1
            elif self._resent[at] == _RESENDS:
                self.found["absent"] += 1
            else:
                self._resent[at] += 1
                self.found["absent and sent again"] += 1
                again.append(at)
        return inventory

    def _as_sent(self, at: int, row: dict[str, Any]) -> UnknownGroup:
        """Return a group as it was asked for when it was sent, by this run or another: so it is compared."""
        sent = {name: row[f"sent_{name}"] for name in ("phone_name", "quantity", "display_num")}
        return UnknownGroup(replace(self._groups[at], **sent), row["newest_status"] == NAME_TAKEN, bool(row["tried"]))

    def verify(self, states: GroupStates, inventories: dict[str, Inventory]) -> tuple[int | None, list[str]]:
        """Return how many phones of the created groups are there, None without any, and a sentence if some lack."""
        groups = [group for group, state in zip(self._groups, states.states, strict=True) if state is State.CREATED]
        if not groups:
            return None, []
        seen = verify_created(self._client, groups, inventories, self._stopping)
        short = [(group, there) for group, there in zip(groups, seen, strict=True) if there < group.quantity]
        names = [f"{group.group_name} ({there} of {group.quantity})" for group, there in short[:3]]
        names += ["…"] if len(short) > 3 else []
        lack = f"{plural(len(short), 'group')} {'lacks' if len(short) == 1 else 'lack'}"
        return sum(seen), [f"{lack} phones that were created: {', '.join(names)}."] if short else []


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
    rows: list[tuple[object, ...]] = []
    table = ledger.table_for(client.account)
    if unknown_only:
        table = table[table["appId"].isin(table["appId"][table["state"] == State.UNKNOWN])]
    for app_id, part in table.groupby("appId", sort=False):
        rows += _reconcile_application(client, ledger.run_store, str(app_id), part)
    report = pd.DataFrame(rows, columns=list(REPORT_COLUMNS))
    report = report[report["before"] == State.UNKNOWN] if unknown_only else report
    return report.sort_values("advice", key=lambda advice: advice == "", kind="stable", ignore_index=True)


def _reconcile_application(
    client: Client, store: RunStore, app_id: str, part: pd.DataFrame
) -> list[tuple[object, ...]]:
    """Return the report's rows of one application, and write what its listings resolve."""
    groups = dict(zip(part.index, phone_groups(part), strict=True))
    states = dict(zip(part.index, map(State, part["state"]), strict=True))
    refused = ""
    try:
        resolved, inventory = _resolve_known(client, app_id, part, groups)
    except InputError as error:
        resolved, inventory, refused = {}, Inventory({}, {}), str(error)
    resolutions = {Resolution(int(part["receipt"][at]), receipt): at for at, receipt in resolved.items()}
    after = {resolutions[one]: one.receipt for one in store.write_resolutions(list(resolutions))}
    left, rows = dict(inventory.groups), list[tuple[object, ...]]()
    for at, group in groups.items():
        held, receipt = left.pop(group.group_name, None), after.get(at)
        now_is, advice = (receipt.state, receipt.advice) if receipt else (states[at], _drift(group, states[at], held))
        found = held.phones if held else 0
        rows.append((app_id, group.group_name, str(states[at]), str(now_is), group.quantity, found, refused or advice))
    return rows + [(app_id, name, "", "", 0, held.phones, _FOREIGN) for name, held in left.items()]


def _resolve_known(
    client: Client, app_id: str, part: pd.DataFrame, groups: dict[Any, PhoneGroup]
) -> tuple[dict[Any, Receipt], Inventory]:
    """Resolve what the ledger has as unknown, and what was absent once and is there now: it was shown late."""
    of_unknown = part[part["state"] == State.UNKNOWN]
    unknown = {
        at: UnknownGroup(groups[at], status == NAME_TAKEN, bool(tried))
        for at, status, tried in zip(of_unknown.index, of_unknown["status"], of_unknown["tried"], strict=True)
    }
    resolved, inventory = resolve_unknown(client, app_id, unknown)
    planned = part.index[(part["state"] == State.PLANNED) & part["tried"].astype(bool)]
    late = {at: UnknownGroup(groups[at], False, True) for at in planned if groups[at].group_name in inventory.groups}
    if late:
        found, inventory = resolve_unknown(client, app_id, late)
        resolved |= found
    return resolved, inventory


def _drift(group: PhoneGroup, state: State, held: GroupInventory | None) -> str:
    """Return how ledger and account differ about a group, "" where they agree."""
    if state is State.SENDING:
        return "It is being sent: look again afterwards."
    if state is State.UNKNOWN:
        return "Not settled: the listings did not agree. Look again when nobody adds phones."
    if state not in State.PRESENT:
        return _FOREIGN if held else ""
    if held is None:
        return "It is no longer there. Was it deleted? make_plan(..., recreate=True) makes it again."
    differs = held.differences(group) if state is State.CREATED else ""
    return f"Changed since: {differs}." if differs else ""
