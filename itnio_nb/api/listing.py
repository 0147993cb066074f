"""The phones of an application, by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event

from itnio_nb.api.client import Client
from itnio_nb.api.models import PhoneGroup
from itnio_nb.api.text import plain_words, plural
from itnio_nb.orders.models import cell_text


@dataclass(frozen=True)
class GroupInventory:
    """What an application holds of one group."""

    phones: int
    display_nums: frozenset[str]
    phone_names: frozenset[str]  # as ordered

    def differs(self, group: PhoneGroup) -> str:
        """Say how it differs from what was asked for, "" where it does not."""
        size = f"{plural(self.phones, 'phone')}, {group.quantity:,} asked for" if self.phones != group.quantity else ""
        return "; ".join(filter(None, [size, self.field_differences(group)]))

    def field_differences(self, group: PhoneGroup) -> str:
        """Say how its phones differ from those asked for, whatever their number; "" where they do not."""
        differences = []
        for noun, there, asked in (
            ("display number", self.display_nums, group.display_num),
            ("phone name", self.phone_names, group.phone_name),
        ):
            shown = there - {""}  # what a listing does not show is no difference
            if shown and shown != {asked}:
                words = ", ".join(plain_words(text) for text in sorted(shown)[:3])
                differences.append(f"{noun} {words}, {asked} asked for")
        return "; ".join(differences)


@dataclass(frozen=True)
class Inventory:
    """One application as it was when it was looked at."""

    groups: dict[str, GroupInventory]  # by group name
    phone_names: dict[str, str]  # phone name as ordered -> the group that has it

    @property
    def total(self) -> int:
        """How many phones it has."""
        return sum(held.phones for held in self.groups.values())


def phone_order_name(phone_name: str) -> str:
    """Return the phone name that was ordered, from the name of a phone.

    >>> phone_order_name("sip-1")
    'sip'

    The phones of one request are named after its `phoneName` with `-1`, `-2`, … behind it. Source: the one
    published sample record of sipQuery; nothing more is known of the rule, so it stands here alone.
    """
    name, dash, number = phone_name.rpartition("-")
    return name if dash and number.isdecimal() else phone_name


def fetch_inventory(client: Client, app_id: str, stopping: Event | None = None) -> Inventory:
    """Read all phones of an application once, and return them by group. Raises what `list_phones` raises."""
    return client.read_listing(app_id, _by_group, stopping=stopping)


def _by_group(pages: Iterator[list[dict[str, object]]]) -> Inventory:
    """Index pages of phones by group, page by page: no more than the index is kept."""
    sizes: Counter[str] = Counter()
    numbers: dict[str, set[str]] = {}
    names: dict[str, set[str]] = {}
    owners: dict[str, str] = {}
    for page in pages:
        for record in page:
            group, phone, number = (cell_text(record.get(name)) for name in ("groupName", "phoneName", "displayNum"))
            ordered = phone_order_name(phone)
            sizes[group] += 1
            numbers.setdefault(group, set()).add(number)
            names.setdefault(group, set()).add(ordered)
            owners.setdefault(ordered, group)
    held = {
        group: GroupInventory(size, frozenset(numbers[group]), frozenset(names[group])) for group, size in sizes.items()
    }
    return Inventory(held, owners)


def phones_seen(group: PhoneGroup, listing: Inventory) -> int:
    """Return how many of the phones that were asked for are there."""
    held = listing.groups.get(group.group_name)
    return min(held.phones, group.quantity) if held else 0
