"""What is really there: an application's phones by group, and what they say about a group that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event

from itnio_nb.client import Client
from itnio_nb.model import PhoneGroup, Receipt, State, count, now

TAKEN = "-20"  # the status that does not say which of the two names is taken


@dataclass(frozen=True)
class Held:
    """What an application holds of one group."""

    phones: int
    display_nums: frozenset[str]

    def differs(self, group: PhoneGroup) -> str:
        """Say how it differs from what was asked for, "" where it does not."""
        differences = []
        if self.phones != group.quantity:
            differences.append(f"{count(self.phones, 'phone')}, {group.quantity:,} asked for")
        if self.display_nums != {group.display_num}:
            differences.append(f"display number {', '.join(sorted(self.display_nums))}, {group.display_num} asked for")
        return "; ".join(differences)


@dataclass(frozen=True)
class Listing:
    """One application as it was when it was looked at."""

    groups: dict[str, Held]  # by group name
    phone_names: dict[str, str]  # phone name as ordered -> the group that has it


def phone_order_name(phone_name: str) -> str:
    """Return the phone name that was ordered, from the name of a phone.

    >>> phone_order_name("sip-1")
    'sip'

    The phones of one request are named after its `phoneName` with `-1`, `-2`, … behind it. Source: the one
    published sample record of sipQuery; nothing more is known of the rule, so it stands here alone.
    """
    name, dash, number = phone_name.rpartition("-")
    return name if dash and number.isdecimal() else phone_name


def look(client: Client, app_id: str, stopping: Event | None = None) -> Listing:
    """Read all phones of an application once, and return them by group. Raises what `list_phones` raises."""
    phones = client.list_phones(app_id, stopping=stopping)
    sizes = phones.groupby("groupName", sort=False).size()
    numbers: dict[str, set[str]] = {}
    names: dict[str, str] = {}
    for group, phone, number in zip(phones["groupName"], phones["phoneName"], phones["displayNum"], strict=True):
        numbers.setdefault(group, set()).add(number)
        names.setdefault(phone_order_name(phone), group)
    held = {str(group): Held(int(size), frozenset(numbers[str(group)])) for group, size in sizes.items()}
    return Listing(held, names)


def settle_taken(group: PhoneGroup, listing: Listing) -> Receipt:
    """Say what `-20` meant: it does not tell whether the group name or the phone name is taken.

    The group is there → `exists`; it is not, but the phone name is → `refused`; neither → `unknown`.
    """
    held = listing.groups.get(group.group_name)
    if held:
        differs = held.differs(group)
        reason = f"the group was there before: {differs}" if differs else "the group was there before, as asked"
        advice = "Nothing was created. " + (
            "Choose another group name for what is missing." if differs else "Nothing to do."
        )
        return Receipt(State.EXISTS, TAKEN, reason, advice, now())
    owner = listing.phone_names.get(group.phone_name)
    if owner:
        reason = f"the phone name is taken by group {owner}"
        return Receipt(State.REFUSED, TAKEN, reason, "Nothing was created. Choose another phone name.", now())
    reason = "the server says that the name is taken, but the application shows neither the group nor the phone name"
    advice = "Nothing was created by this request. Look with client.list_phones(appId), then choose other names."
    return Receipt(State.UNKNOWN, TAKEN, reason, advice, now())


def phones_seen(group: PhoneGroup, listing: Listing) -> int:
    """Return how many of the phones that were asked for are there."""
    held = listing.groups.get(group.group_name)
    return min(held.phones, group.quantity) if held else 0
