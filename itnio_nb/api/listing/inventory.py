"""What an application holds, by group, and how that differs from what was asked for, however the server writes it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from os.path import commonprefix

from itnio_nb.api.models import PhoneGroup
from itnio_nb.api.text import one_line, plural

Page = list[dict[str, object]]  # phones, in the API's fields
_NUMBER, _NAME = "display number", "phone name"
_DIGITS = "0123456789"


@dataclass(frozen=True, slots=True)
class GroupInventory:
    """What an application holds of one group."""

    phones: int
    display_nums: frozenset[str]
    phone_names: frozenset[str]  # as ordered, of phones that are named like `sip-1`
    beginning: str = ""  # that the names of all its phones share
    example: str = ""  # the name of one of its phones, "" where none is shown


@dataclass(frozen=True)
class Inventory:
    """The phones of one application, by group, as read at one time."""

    groups: dict[str, GroupInventory]  # by group name
    complete: bool = True  # False: phones were added all the time, so that a group may be there and not be shown
    own_writing: frozenset[str] = frozenset()  # fields that this server writes in a way of its own
    renames: bool = False  # whether it shows group names in another case, or with other blanks, than asked for

    def find(self, group_name: str) -> GroupInventory | None:
        """Return what the application has of a group; None where it is not shown."""
        return self.groups.get(self.shown_name(group_name))

    def shown_name(self, group_name: str) -> str:
        """Return the name under which a group is shown: this one, unless the server renames groups."""
        similar = self.similar_group(group_name) if self.renames and group_name not in self.groups else ""
        return similar or group_name

    def similar_group(self, group_name: str) -> str:
        """Return the group whose name differs from this one in case, blanks or accents alone; "" for none."""
        name = self._groups_by_fold.get(fold(group_name), "")
        return "" if name == group_name else name

    def owner_of(self, phone_name: str) -> tuple[str, str]:
        """Return a phone name that is taken, and its group: this very one if it is, else a similar one; or two "".

        >>> phones = [{"groupName": "SALES", "phoneName": f"Desk-{at}", "displayNum": "861000000"} for at in (1, 2)]
        >>> inventory_of(phones).owner_of("desk")
        ('Desk', 'SALES')
        """
        names = self._phone_names_by_fold.get(fold(phone_name), {})
        name = phone_name if phone_name in names else next(iter(names), "")
        return name, names.get(name, "")

    def differences(self, group: PhoneGroup) -> str:
        """Describe how a group that is there differs from what was asked for, "" where it does not."""
        held = self.find(group.group_name)
        if held is None:
            return ""
        size = f"{plural(held.phones, 'phone')}, {group.quantity:,} asked for" if held.phones != group.quantity else ""
        fields = [words for field, words in _field_differences(held, group).items() if field not in self.own_writing]
        return "; ".join(filter(None, [size, *fields]))

    def written_otherwise(self, group: PhoneGroup) -> str:
        """Describe which fields of a group are shown in other words than asked for, "" for none: a remark, no more."""
        held = self.find(group.group_name)
        if held is None:
            return ""
        words = _field_differences(held, group)
        numbers = held.display_nums - {""}
        if _NUMBER not in words and numbers and numbers != {group.display_num}:
            words[_NUMBER] = f"{_NUMBER} {_examples(numbers)}, {group.display_num} asked for"
        return "; ".join(words.values())

    def learn_writing(self, created: Iterable[PhoneGroup]) -> Inventory:
        """Return this inventory with what groups that the server has answered with 0 tell of how it writes.

        A field in which every one of them differs from what was asked for is written by the server in its own way:
        it tells nothing about other groups. One that is there under a similar name alone shows that names change too.
        """
        exact, similar = 0, 0
        differing: Counter[str] = Counter()
        for group in created:
            held = self.groups.get(group.group_name)
            exact += held is not None
            similar += held is None and bool(self.similar_group(group.group_name))
            if held is not None:
                differing.update(_field_differences(held, group).keys())
        own = frozenset(field for field, number in differing.items() if number == exact)
        return replace(self, own_writing=own, renames=similar > 0)

    @property
    def total(self) -> int:
        """How many phones the application has."""
        return sum(held.phones for held in self.groups.values())

    @cached_property
    def _groups_by_fold(self) -> dict[str, str]:
        return {fold(name): name for name in self.groups}

    @cached_property
    def _phone_names_by_fold(self) -> dict[str, dict[str, str]]:
        names: dict[str, dict[str, str]] = {}
        for group, held in self.groups.items():
            for name in held.phone_names:
                names.setdefault(fold(name), {}).setdefault(name, group)
        return names


@dataclass(slots=True)
class _GroupIndex:
    """What was seen of one group so far."""

    phones: int = 0
    display_nums: frozenset[str] = frozenset()
    ordered_names: frozenset[str] = frozenset()
    beginning: str = ""
    example: str = ""

    def add(self, names: list[str], display_nums: set[str]) -> None:
        """Add phones, given as the name of each and their display numbers."""
        self.phones += len(names)
        self.display_nums |= display_nums
        shown = [name for name in names if name]
        if shown:
            self.beginning = commonprefix([self.beginning if self.example else shown[0], *shown])  # noqa: RUF071 - names
            self.example = self.example or shown[0]
            # Few: they differ in their numbers alone.
            kinds = {f"{name.rstrip(_DIGITS)}0" if name[-1].isdecimal() else name for name in shown}
            ordered = {name for kind in kinds if (name := phone_order_name(kind)) != kind}
            if not ordered <= self.ordered_names:
                self.ordered_names |= ordered


class InventoryBuilder:
    """Index phones by group as their pages come: only the index is kept."""

    def __init__(self) -> None:
        self._groups: dict[str, _GroupIndex] = {}
        self._numbers: dict[frozenset[str], frozenset[str]] = {}  # thousands of groups share one

    def clear(self) -> None:
        """Begin anew: the listing is read again."""
        self._groups.clear()

    def add(self, number: int, phones: Page) -> None:  # noqa: ARG002 - the order of pages does not matter here
        """Add phones that no earlier page had."""
        names, numbers = defaultdict[str, list[str]](list), defaultdict[str, set[str]](set)
        for phone in phones:
            group = field_text(phone.get("groupName"))
            names[group].append(field_text(phone.get("phoneName")))
            numbers[group].add(field_text(phone.get("displayNum")))
        for group in names:
            one = self._groups.setdefault(group, _GroupIndex())
            one.add(names[group], numbers[group])
            one.display_nums = self._numbers.setdefault(one.display_nums, one.display_nums)

    def inventory(self, *, complete: bool = True) -> Inventory:
        """Return what was added."""
        groups = {
            name: GroupInventory(one.phones, one.display_nums, one.ordered_names, one.beginning, one.example)
            for name, one in self._groups.items()
        }
        return Inventory(groups, complete)


def inventory_of(phones: Page) -> Inventory:
    """Index phones by group."""
    builder = InventoryBuilder()
    builder.add(1, phones)
    return builder.inventory()


def phone_order_name(phone_name: str) -> str:
    """Return the phone name that was ordered, from the name of a phone.

    >>> phone_order_name("sip-1"), phone_order_name("south-2_030"), phone_order_name("plain1")
    ('sip', 'south-2', 'plain1')

    The phones of one request are named after its `phoneName` with `-1`, `-2`, … appended, as the only published sample
    record of sipQuery shows. No rule is documented, so any separator is taken for one.
    """
    match = re.fullmatch(r"(.*?)[\W_]+\d+", phone_name)
    return match[1] if match else phone_name


def phones_seen(group: PhoneGroup, inventory: Inventory) -> int:
    """Return how many of the phones that were asked for exist: more than those are not counted."""
    held = inventory.find(group.group_name)
    return min(held.phones, group.quantity) if held else 0


def fold(name: str) -> str:
    """Return a name without what a server may ignore in comparing names: case, accents, blanks at its ends.

    >>> fold("Sales-Désk ") == fold("SALES-DESK")
    True

    Inference: the service looks like one of Java over MySQL, which compares so unless it is told otherwise.
    """
    letters = unicodedata.normalize("NFKD", name)
    return " ".join("".join(one for one in letters if not unicodedata.combining(one)).casefold().split())


def how_names_differ(name: str, other: str) -> str:
    """Describe in what two names differ that are the same once folded: `case`, `blanks` or more."""
    if name.casefold() == other.casefold():
        return "case"
    return "blanks" if "".join(name.split()) == "".join(other.split()) else "case, blanks or accents"


def field_text(value: object) -> str:
    """Return a field of a phone as text: "" where it is missing, no `.0` behind a whole number."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _field_differences(held: GroupInventory, group: PhoneGroup) -> dict[str, str]:
    """Describe the fields that differ from those asked for beyond their writing; one that is not shown is none."""
    differences = {}
    numbers = held.display_nums - {""}
    if any(_digits(number) != _digits(group.display_num) for number in numbers):
        differences[_NUMBER] = f"{_NUMBER} {_examples(numbers)}, {group.display_num} asked for"
    # The phones are named after the phone name, with a number behind it: whatever stands between, however it is padded.
    asked, shown = fold(group.phone_name), fold(held.example)
    named = fold(held.beginning).startswith(asked) and re.fullmatch(r"[\W_]*\d*", shown[len(asked) :])
    if shown and not named:
        names = held.phone_names or {held.example}
        differences[_NAME] = f"{_NAME} {_examples(names)}, {one_line(group.phone_name)} asked for"
    return differences


def _digits(number: str) -> str:
    """Return what two ways of writing one display number share: no sign, no separator, no 0 in front."""
    return re.sub(r"\D", "", number).lstrip("0")


def _examples(texts: Iterable[str]) -> str:
    return ", ".join(one_line(text) for text in sorted(texts)[:3])
