"""The action that each group of a plan needs: what the account has of it, and then what the ledger knows."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.listing.inventory import GroupInventory, Inventory, how_names_differ
from itnio_nb.api.models import Action, PhoneGroup, State
from itnio_nb.api.statuses import FIELD_REFUSED
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError, ItnioError
from itnio_nb.ledger.ledger import Ledger, LedgerEntry
from itnio_nb.runs.results import GONE


class PlannedGroup(NamedTuple):
    """One group of a plan and the action that it needs."""

    group: PhoneGroup
    row: int  # of the orders
    action: Action
    why: str
    recreated: int | None = None  # the receipt of its first creation, where it is to be created again
    gone: bool = False  # in doubt because it was created once and the account lacks it


def list_applications(
    client: Client, ledger: Ledger | None, orders: pd.DataFrame
) -> tuple[dict[str, Inventory], list[tuple[object, ...]]]:
    """List each application once. One that cannot be listed becomes an error of its rows, and keeps no other out.

    Raises where the account answers for none of them.
    """
    created = ledger.pages.created_groups(client.account) if ledger is not None else {}
    found = client.fetch_inventories(orders["appId"].unique().tolist(), created=created)
    inventories = {app_id: one for app_id, one in found.items() if isinstance(one, Inventory)}
    errors = {app_id: one for app_id, one in found.items() if isinstance(one, ItnioError)}
    if not inventories and (raised := [one for one in errors.values() if not isinstance(one, InputError)]):
        raise raised[0]
    return inventories, [
        (row, "appId", app_id, *_why_not_listed(error), "error")
        for app_id, error in errors.items()
        for row in orders.index[orders["appId"] == app_id]
    ]


def _why_not_listed(error: ItnioError) -> tuple[str, str]:
    """Return problem and advice of an application that could not be listed."""
    if isinstance(error, InputError):
        number = "" if error.status == FIELD_REFUSED else f" (status {error.status})"
        return f"is refused by the account{number}", "Check the application id; the account may be another one."
    return "could not be listed, so what it has is not known", f"{error}"


def decide(
    group: PhoneGroup, row: int, inventory: Inventory, entry: LedgerEntry | None, *, recreate: bool
) -> PlannedGroup:
    """Return the action that a group needs: the account's word first, then the ledger's."""
    held = inventory.find(group.group_name)
    if held:
        return PlannedGroup(group, row, Action.EXISTS, _why_exists(group, held, inventory, entry))
    if entry is None or entry.state in State.SENDABLE:
        return PlannedGroup(group, row, Action.CREATE, _why_refused(group, inventory))
    when = f"in run {entry.run}"
    if entry.state is State.SENDING:  # its owner is alive
        return PlannedGroup(group, row, Action.SENDING, f"being sent {when}")
    if entry.at_work and entry.state in State.PRESENT:
        return PlannedGroup(group, row, Action.SENDING, f"{entry.state} {when}, which is at work: not shown yet")
    if entry.state in State.UNRESOLVED:
        return PlannedGroup(group, row, Action.IN_DOUBT, f"sent {when}, and what became of it is not known")
    if recreate:
        why = f"{entry.state} {when}, gone since; made again"
        return PlannedGroup(group, row, Action.CREATE, why, recreated=entry.receipt)
    why = f"{entry.state} {when}, but {GONE} (recreate=True makes it again)"
    return PlannedGroup(group, row, Action.IN_DOUBT, why, gone=True)


def _why_exists(group: PhoneGroup, held: GroupInventory, inventory: Inventory, entry: LedgerEntry | None) -> str:
    made = f", created in run {entry.run}" if entry and entry.state is State.CREATED else ""
    if entry and entry.state is State.UNKNOWN:
        made = f", sent in run {entry.run} and not answered: reconcile settles it"
    return f"the account has it: {inventory.differences(group) or plural(held.phones, 'phone')}{made}"


def _why_refused(group: PhoneGroup, inventory: Inventory) -> str:
    """Return why the server will or may refuse a group that is not there, "" for no reason."""
    if similar := inventory.similar_group(group.group_name):
        differs = how_names_differ(similar, group.group_name)
        return f"may be refused: the account has group {similar}, whose name differs in {differs} alone"
    name, owner = inventory.owner_of(group.phone_name)
    if name == group.phone_name and owner:
        return f"likely to be refused: the phone name belongs to group {owner} of the account"
    if owner:
        differs = how_names_differ(name, group.phone_name)
        return f"may be refused: phone name {name} of group {owner} differs in {differs} alone"
    return ""
