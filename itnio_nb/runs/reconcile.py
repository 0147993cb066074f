"""What is really there: an application's phones by group, and what they say about a group that was asked for."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.listing import GroupInventory, Inventory, phones_seen
from itnio_nb.api.models import PhoneGroup, Receipt, State, now, phone_groups
from itnio_nb.api.text import one_line
from itnio_nb.errors import InputError
from itnio_nb.ledger.claims import Resolution
from itnio_nb.ledger.ledger import Ledger

TAKEN = "-20"  # the status that does not say which of the two names is taken
PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before each further listing, as long as there is no clear answer
REPORT_COLUMNS = ("appId", "groupName", "before", "after", "asked", "found", "advice")

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class UnknownGroup:
    """A group whose outcome is unknown, and what is known of the tries to create it."""

    group: PhoneGroup
    taken: bool  # the last answer was that a name is taken: that try has created nothing
    tried: bool  # a try may have created it, without an answer that said so


def resolve_group(doubt: UnknownGroup, listing: Inventory) -> Receipt:
    """Say what a listing tells about a group whose outcome is unknown.

    All its phones are there as asked → `created`, if a try of ours may have made them; some → `partial`; there
    otherwise → `exists`; none → `planned`. After `-20`, which does not say which of the two names is taken, none
    means: its phone name is there → `refused`; not even that → `unknown`.
    """
    group, at = doubt.group, now()
    held = listing.groups.get(group.group_name)
    status = TAKEN if doubt.taken else ""
    if held is None:
        return _resolve_taken(group, listing) if doubt.taken else _absent(group)
    differs = held.differences(group)
    if not differs and doubt.tried:
        return Receipt(State.CREATED, "", "found in the account, as asked", "Created. Next: hand it over.", at)
    if doubt.tried and held.phones < group.quantity and not held.field_differences(group):
        lacking = group.quantity - held.phones
        advice = (
            f"{held.phones} of {group.quantity} phones were created; it cannot be completed under this name. "
            f"Order {lacking:,} under a new one."
        )
        return Receipt(State.PARTIAL, status, f"{held.phones} of {group.quantity} phones are there", advice, at)
    reason = f"the group was there before: {differs}" if differs else "the group was there before, as asked"
    todo = "Choose another group name for what is missing." if differs else "Nothing to do."
    return Receipt(State.EXISTS, status, reason, f"Nothing was created. {todo}", at)


def _resolve_taken(group: PhoneGroup, listing: Inventory) -> Receipt:
    owner = listing.phone_names.get(group.phone_name)
    if owner:
        reason = f"the phone name is taken by group {one_line(owner)}"
        return Receipt(State.REFUSED, TAKEN, reason, "Nothing was created. Choose another phone name.", now())
    reason = "the server says that the name is taken, but the application shows neither the group nor the phone name"
    advice = (
        "Nothing was created by this request. resume(client, ledger) looks again; if it stays so, choose other names."
    )
    return Receipt(State.UNKNOWN, TAKEN, reason, advice, now())


def _absent(group: PhoneGroup) -> Receipt:
    at = now()
    reason = f"absent as of {at:%H:%M} UTC: two listings of application {group.app_id} do not have it"
    return Receipt(State.PLANNED, "", reason, "Nothing was created. It can be sent again.", at)


def resolve_unknown(
    client: Client, app_id: str, doubts: Mapping[Key, UnknownGroup], stopping: Event | None = None
) -> tuple[dict[Key, Receipt], Inventory]:
    """Look at an application until it is clear what became of each doubtful group; return that and the last listing.

    A group whose phones are all there is believed at once. Anything else is believed when two listings agree, the
    second after a pause: they have the same total, and the same of that group. What never becomes clear is not in
    the answer. No request for these groups may be under way. Raises what `list_phones` raises.
    """
    settled: dict[Key, Receipt] = {}
    listing = client.fetch_inventory(app_id, stopping)
    for pause in (*PAUSES, None):
        resolutions = {key: resolve_group(doubt, listing) for key, doubt in doubts.items() if key not in settled}
        settled |= {key: receipt for key, receipt in resolutions.items() if receipt.state is State.CREATED}
        if pause is None or len(settled) == len(doubts):
            break
        (stopping or Event()).wait(pause)
        before, listing = listing, client.fetch_inventory(app_id, stopping)
        if listing.total == before.total:
            settled |= {
                key: receipt
                for key, receipt in resolutions.items()
                if receipt.state is not State.UNKNOWN
                and listing.groups.get(doubts[key].group.group_name) == before.groups.get(doubts[key].group.group_name)
            }
        if len(settled) == len(doubts):
            break
    return settled, listing


def verify_created(
    client: Client, made: Collection[PhoneGroup], listings: dict[str, Inventory], stopping: Event
) -> list[int]:
    """Return how many phones of each created group are there, looking again where some are shown late.

    `listings` has what was seen last of each application; what it lacks is read. Raises what `list_phones` raises.
    """
    for pause in (*PAUSES, None):
        for app_id in {group.app_id: None for group in made}:
            if app_id not in listings:
                listings[app_id] = client.fetch_inventory(app_id, stopping)
        seen = [phones_seen(group, listings[group.app_id]) for group in made]
        short = {group.app_id for group, there in zip(made, seen, strict=True) if there < group.quantity}
        if not short or pause is None:
            break
        stopping.wait(pause)
        for app_id in short:
            del listings[app_id]
    return seen


def reconcile(client: Client, ledger: Ledger) -> pd.DataFrame:
    """Compare the ledger with the phones that really exist, and settle what is unknown; nothing is sent.

        report = reconcile(client, ledger)
        report[report["advice"] != ""]      # what was settled, and what differs

    One row for each group that the ledger has of this account, and for each group of its applications that the
    ledger does not have: `appId groupName before after asked found advice`. `before` and `after` are states in the
    ledger, "" for a group that it never made; `asked` and `found` are phones. What needs attention comes first.
    Each application is listed once, and again only where something is in doubt. Raises `AccountError` and
    `ServiceError` where the account cannot be asked; what was settled until then stays settled.
    """
    if not (isinstance(client, Client) and isinstance(ledger, Ledger)):
        raise InputError("A ledger is compared with what a client lists: reconcile(client, ledger).")
    known = ledger.account_table(client.account)
    rows: list[tuple[object, ...]] = []
    for app_id, part in known.groupby("appId", sort=False):
        groups = dict(zip(part.index, phone_groups(part), strict=True))
        unknown = part[part["state"] == State.UNKNOWN]
        doubts = {
            at: UnknownGroup(groups[at], status == TAKEN, bool(tried))
            for at, status, tried in zip(unknown.index, unknown["status"], unknown["tried"], strict=True)
        }
        try:
            settled, listing = resolve_unknown(client, str(app_id), doubts)
        except InputError as error:
            rows += [
                (app_id, g.group_name, part["state"][at], part["state"][at], g.quantity, 0, str(error))
                for at, g in groups.items()
            ]
            continue
        planned = part[(part["state"] == State.PLANNED) & part["tried"].astype(bool)]
        late = {
            at: UnknownGroup(groups[at], False, True) for at in planned.index if groups[at].group_name in listing.groups
        }
        if late:  # absent once, and there now: it was shown late
            found, listing = resolve_unknown(client, str(app_id), late)
            settled |= found
        resolutions = {at: Resolution(int(part["receipt"][at]), receipt) for at, receipt in settled.items()}
        written = {id(resolution) for resolution in ledger.run_store.write_resolutions(list(resolutions.values()))}
        after = {at: resolution.receipt for at, resolution in resolutions.items() if id(resolution) in written}
        rows += [
            _compared(group, State(part["state"][at]), after.get(at), listing.groups.get(group.group_name))
            for at, group in groups.items()
        ]
        ours = {group.group_name for group in groups.values()}
        foreign = "The account has it, and this ledger has not made it: created elsewhere."
        rows += [
            (app_id, name, "", "", 0, held.phones, foreign) for name, held in listing.groups.items() if name not in ours
        ]
    report = pd.DataFrame(rows, columns=list(REPORT_COLUMNS))
    return report.sort_values("advice", key=lambda advice: advice == "", kind="stable", ignore_index=True)


def _compared(
    group: PhoneGroup, before: State, settled: Receipt | None, held: GroupInventory | None
) -> tuple[object, ...]:
    """Return one row of the report."""
    found = held.phones if held else 0
    after = settled.state if settled else before
    advice = settled.advice if settled else _drift(group, before, held)
    return (group.app_id, group.group_name, str(before), str(after), group.quantity, found, advice)


def _drift(group: PhoneGroup, state: State, held: GroupInventory | None) -> str:
    """Say how what the ledger knows and what the account has differ, "" where they agree."""
    differs = held.differences(group) if held else ""
    if state is State.SENDING:
        return "It is being sent: look again afterwards."
    if state is State.UNKNOWN:
        return "Not settled: the listings did not agree. Look again when nobody adds phones."
    if state in (State.CREATED, State.PARTIAL, State.EXISTS):
        if held is None:
            return "It is no longer there. Was it deleted? make_plan(..., recreate=True) makes it again."
        return f"Changed since: {differs}." if differs and state is State.CREATED else ""
    return "The account has it, and this ledger has not made it: created elsewhere." if held else ""
