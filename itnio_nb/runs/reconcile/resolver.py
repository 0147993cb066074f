"""Resolve the unknown groups of a run from listings, and verify what it created."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from threading import Event, Lock
from typing import Any, TypeVar

from itnio_nb.api.client import Client
from itnio_nb.api.listing.inventory import Inventory, phones_seen
from itnio_nb.api.listing.parallel import for_each
from itnio_nb.api.models import Action, PhoneGroup, Receipt, State
from itnio_nb.api.statuses import TOO_FREQUENT
from itnio_nb.api.text import plural
from itnio_nb.errors import ItnioError, LedgerError
from itnio_nb.ledger.claims import Resolution
from itnio_nb.ledger.database.database import until
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.runs.reconcile.rules import UnknownGroup, resolve_group
from itnio_nb.runs.results import GroupStates

PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before each further listing, as long as there is no clear answer
_RESENDS = 3  # times that a group which listings have shown to be absent is sent again in one run
AT_ONCE = 8  # applications that are looked at together; their pages share the client's connections

Key = TypeVar("Key", bound=Hashable)


def resolve_unknown(
    list_phones: Callable[[], Inventory],
    unknown: Mapping[Key, UnknownGroup],
    write: Callable[[dict[Key, Receipt]], object],
    stopping: Event,
) -> Inventory:
    """List an application until it is clear what became of each unknown group; return the last listing.

    `write` gets the receipts of what a listing has made clear at once: whoever looks may be killed before the next one.
    A group that is there with all its phones is believed at once: the API never deletes. That it is not there, or not
    all of it, is believed when two complete listings agree, the second after a pause, and of a group that may be shown
    late only after all pauses; phones of others may be added meanwhile. What never becomes clear is left out. While a
    request for a group may be under way elsewhere its absence is not believed: that is waited for. Raises what
    `list_phones` raises.
    """
    left, begun, inventory = dict(unknown), time.monotonic(), list_phones()

    def settle(groups: Iterable[Key]) -> None:
        write({key: resolve_group(left.pop(key), inventory) for key in groups})

    settle([key for key, one in left.items() if _is_there(one.group, inventory)])
    for pause in PAUSES if left else ():
        stopping.wait(pause)
        began_before, begun = begun, time.monotonic()
        before, inventory = inventory, list_phones()
        settle([key for key, one in left.items() if _is_there(one.group, inventory)])
        if before.complete and inventory.complete:
            ready = [key for key, one in left.items() if pause == PAUSES[-1] or not one.may_be_late]
            ready = [key for key in ready if left[key].under_way_until <= began_before]
            settle([key for key in ready if _agree(left[key].group.group_name, before, inventory)])
        if all(one.under_way_until > begun for one in left.values()):
            break
    ends = max((one.under_way_until for one in left.values() if one.under_way_until), default=0.0)
    if not ends or stopping.wait(max(0.0, ends - time.monotonic())):
        return inventory
    ended = {key: replace(one, under_way_until=0.0) for key, one in left.items() if one.under_way_until}
    return resolve_unknown(list_phones, ended, write, stopping)


def _agree(group_name: str, one: Inventory, other: Inventory) -> bool:
    """Tell whether two listings show the same of a group."""
    return one.find(group_name) == other.find(group_name)


def _is_there(group: PhoneGroup, inventory: Inventory) -> bool:
    """Tell whether a group is there with all phones that were asked for."""
    return phones_seen(group, inventory) == group.quantity


def verify_created(
    list_phones: Callable[[Iterable[str]], dict[str, Inventory | ItnioError]],
    created: Collection[PhoneGroup],
    inventories: dict[str, Inventory | ItnioError],
    stopping: Event,
) -> list[int]:
    """Return how many phones of each created group are there, listing again where some are shown late.

    `inventories` has the last listing of each application; what it lacks is read into it. The phones of an application
    that could not be listed are not counted.
    """
    for pause in (*PAUSES, None):
        lacking = {group.app_id: None for group in created if group.app_id not in inventories}
        inventories |= list_phones(lacking) if lacking else {}
        seen = [_phones_in(inventories[group.app_id], group) for group in created]
        pairs = zip(created, seen, strict=True)
        short = {group.app_id for group, there in pairs if there < group.quantity}
        short = {app_id for app_id in short if isinstance(inventories[app_id], Inventory)}
        if not short or pause is None:
            break
        stopping.wait(pause)
        for app_id in short:
            del inventories[app_id]
    return seen


def _phones_in(inventory: Inventory | ItnioError, group: PhoneGroup) -> int:
    return phones_seen(group, inventory) if isinstance(inventory, Inventory) else 0


class RunResolver:
    """Resolve the unknown groups of one run by listing their applications, and verify what it created.

    `found` counts, in words, what the listings showed of groups whose request had no clear answer.
    """

    def __init__(self, client: Client, ledger: Ledger, groups: Sequence[PhoneGroup], stopping: Event) -> None:
        self._client, self._ledger, self._groups, self._stopping = client, ledger, groups, stopping
        self._counting = Lock()
        self._resent: Counter[int] = Counter()
        self.found: Counter[str] = Counter()

    def probe(self, app_id: str) -> None:
        """Raise what keeps the account from answering, if anything does: one small request for an application."""
        self._client.count_phones(app_id, self._stopping)

    def may_send_again(self, at: int) -> bool:
        """Count that a group is sent again, unless it was often enough."""
        self._resent[at] += 1
        return self._resent[at] <= _RESENDS

    def resolve(self, states: GroupStates) -> tuple[list[int], dict[str, Inventory | ItnioError]]:
        """Resolve what is unknown; return positions to send again, and by application its last listing, or why none.

        An application that cannot be listed keeps no other from being resolved.
        """
        unknown = [at for at, state in enumerate(states.known) if state == State.UNKNOWN]
        kept = states.kept.iloc[unknown]
        parts: dict[str, dict[int, dict[str, Any]]] = {
            str(app_id): part.to_dict("index")  # type: ignore[misc] # its index is positions
            for app_id, part in kept.groupby("appId", sort=False)
        }
        ends = dict(zip(unknown, until(self._ledger.database, kept["ended_by"]), strict=True))
        asked = {
            app_id: {at: self._as_sent(at, row, ends[at]) for at, row in rows.items()} for app_id, rows in parts.items()
        }
        created = self._ledger.pages.created_groups(self._client.account)

        again: list[int] = []

        def look(app_id: str) -> Inventory:
            def write(receipts: dict[int, Receipt]) -> None:
                again.extend(self._write(parts[app_id], asked[app_id], receipts))

            def list_phones() -> Inventory:
                return self._client.fetch_inventory(app_id, self._stopping, created.get(app_id, ()))

            return resolve_unknown(list_phones, asked[app_id], write, self._stopping)

        inventories = for_each(parts, look, self._stopping, AT_ONCE)
        for found in inventories.values():
            if isinstance(found, LedgerError):  # no application's fault
                raise found
        return again, inventories

    def _write(
        self, rows: dict[int, dict[str, Any]], unknown: dict[int, UnknownGroup], resolved: dict[int, Receipt]
    ) -> list[int]:
        """Write what holds of one application's groups; return the positions that are to be sent again."""
        again: list[int] = []
        resolutions = {Resolution(rows[at]["newest"], receipt): at for at, receipt in resolved.items()}
        written = self._ledger.run_store.write_resolutions(list(resolutions))
        with self._counting:  # several applications are looked at together
            for resolution in written:
                at, state = resolutions[resolution], resolution.receipt.state
                if state is not State.PLANNED:
                    self.found[str(state)] += not unknown[at].taken
                elif rows[at]["action"] != Action.CREATE:  # more than was confirmed is never made
                    self.found["absent: plan again to create them"] += 1
                elif unknown[at].status == TOO_FREQUENT or not self.may_send_again(at):
                    self._resent[at] = _RESENDS
                    self.found["absent"] += 1
                else:
                    self.found["absent and sent again"] += 1
                    again.append(at)
        return again

    def _as_sent(self, at: int, row: dict[str, Any], under_way_until: float) -> UnknownGroup:
        """Return a group as it was asked for when it was sent, by this run or another: so it is compared."""
        sent = {name: row[f"sent_{name}"] for name in ("phone_name", "quantity", "display_num")}
        group = replace(self._groups[at], **sent)
        return UnknownGroup(group, bool(row["tried"]), row["newest_status"], row["newest_reason"], under_way_until)

    def verify(
        self, states: Sequence[State], inventories: dict[str, Inventory | ItnioError]
    ) -> tuple[int | None, list[str]]:
        """Return how many phones of the created groups are there, None without any, and what to say of those that lack.

        `states` has that of each group, in order.

        Where no application at all could be listed, the first error is raised.
        """
        groups = [group for group, state in zip(self._groups, states, strict=True) if state is State.CREATED]
        if not groups:
            return None, []
        created = self._ledger.pages.created_groups(self._client.account)

        def list_all(app_ids: Iterable[str]) -> dict[str, Inventory | ItnioError]:
            return self._client.fetch_inventories(app_ids, self._stopping, created)

        seen = verify_created(list_all, groups, inventories, self._stopping)
        errors = {app_id: one for app_id, one in inventories.items() if isinstance(one, ItnioError)}
        if errors and all(group.app_id in errors for group in groups):
            raise next(iter(errors.values()))
        pairs = [pair for pair in zip(groups, seen, strict=True) if pair[0].app_id not in errors]
        short = [(group, there) for group, there in pairs if there < group.quantity]
        names = [f"{group.group_name} ({there} of {group.quantity})" for group, there in short[:3]]
        names += ["…"] if len(short) > 3 else []
        lack = f"{plural(len(short), 'group')} {'lacks' if len(short) == 1 else 'lack'}"
        notes = [f"{lack} phones that were created: {', '.join(names)}."] if short else []
        return sum(seen), notes + [f"Not verified: {error}" for error in errors.values()]
