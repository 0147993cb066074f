"""What a listing shows of a group whose outcome is unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace

from itnio_nb.api.listing.inventory import Inventory, how_names_differ
from itnio_nb.api.models import PhoneGroup, Receipt, State, now
from itnio_nb.api.statuses import NAME_TAKEN, TOO_FREQUENT, status_info
from itnio_nb.api.text import one_line, plural
from itnio_nb.ledger.claims import Outcomes


@dataclass(frozen=True)
class UnknownGroup:
    """A group whose outcome is unknown, and what is known of the tries to create it."""

    group: PhoneGroup
    tried: bool  # a try may have created it, and its answer was lost
    status: str = ""  # of the last answer, "" where there was none
    said: str = ""  # the server's words with it
    # Until when a request for it may be under way, by `time.monotonic`: on another machine, whose session is gone.
    under_way_until: float = 0.0

    @property
    def taken(self) -> bool:
        """Whether the last answer was that a name is taken: that try has created nothing."""
        return self.status == NAME_TAKEN

    @property
    def may_be_late(self) -> bool:
        """Whether it is most likely our own unanswered request that has taken the name, and the listing is behind."""
        return self.taken and self.tried


def resolve_group(unknown: UnknownGroup, inventory: Inventory) -> Receipt:
    """Return what a listing shows of a group whose outcome is unknown.

    It is there with the size that was asked for → `created`, if a try of ours may have made it: group names are unique
    in an application, so whose it is does not depend on how the server writes phone names and numbers. With fewer
    phones → `partial`; there otherwise → `exists`. Not there → `planned`, to be sent again; `refused` where the server
    has given a reason that another request would meet too.
    """
    group, held = unknown.group, inventory.find(unknown.group.group_name)
    if held is None:
        return _resolve_absent(unknown, inventory)
    if unknown.tried and held.phones == group.quantity:
        remark = inventory.written_otherwise(group)
        reason = f"found in the account, {f'with the size asked for; {remark}' if remark else 'as asked'}"
        return _answer(unknown, State.CREATED, reason, "Created. Next: hand it over.")
    if unknown.tried and held.phones < group.quantity:
        some = f"{held.phones} of {group.quantity} phones"
        todo = f"Order {group.quantity - held.phones:,} under a new one."
        advice = f"{some} were created; it cannot be completed under this name by the API. {todo}"
        return _answer(unknown, State.PARTIAL, f"{some} are there", advice)
    differs, missing = inventory.differences(group), group.quantity - held.phones
    reason = f"the group was there before{f': {differs}' if differs else ', as asked'}"
    todo = "Is it the group that was meant? If not, choose another group name." if differs else "Nothing to do."
    if missing > 0:
        todo = f"Order the {plural(missing, 'phone')} that it lacks under another group name."
    return _answer(unknown, State.EXISTS, reason, f"Nothing was created. {todo}")


def _resolve_absent(unknown: UnknownGroup, inventory: Inventory) -> Receipt:
    """Return what it means that two listings do not show a group."""
    info, group = status_info(unknown.status), unknown.group
    if unknown.taken:
        return _resolve_taken(unknown, inventory)
    if not info.documented and unknown.status != TOO_FREQUENT:
        reason = f"{unknown.said}; two listings of application {group.app_id} do not have it"
        return Receipt(State.REFUSED, unknown.status, reason, f"Nothing was created. {info.todo}", now())
    reason = f"absent as of {now():%H:%M} UTC: two listings of application {group.app_id} do not have it"
    return _answer(unknown, State.PLANNED, reason, f"Nothing was created. {info.todo or 'It can be sent again.'}")


def _resolve_taken(unknown: UnknownGroup, inventory: Inventory) -> Receipt:
    """Return what `-20` means where the group itself is not there: which name is taken, and by what."""
    group = unknown.group
    similar, (name, owner) = inventory.similar_group(group.group_name), inventory.owner_of(group.phone_name)
    if similar:
        difference = how_names_differ(similar, group.group_name)
        reason = f"the group name is taken by {one_line(similar)}, which differs in {difference}"
        return _answer(unknown, State.REFUSED, reason, "Nothing was created. Choose another group name.")
    if owner:
        reason = f"the phone name is taken by group {one_line(owner)}"
        if name != group.phone_name:
            reason += f": its {one_line(name)} differs in {how_names_differ(name, group.phone_name)}"
        return _answer(unknown, State.REFUSED, reason, "Nothing was created. Choose another phone name.")
    if unknown.may_be_late:
        reason = "the server says that the name is taken, an earlier request was not answered, and no listing shows it"
        advice = "Before another name is chosen, look again: reconcile(client, ledger)."
        return _answer(unknown, State.REFUSED, reason, advice)
    reason = "the server says that a name is taken, and two listings show neither the group nor the phone name"
    return _answer(unknown, State.REFUSED, reason, "Nothing was created. Choose another group name and phone name.")


def _answer(unknown: UnknownGroup, state: State, reason: str, advice: str) -> Receipt:
    """Return a receipt of what listings have shown; what the server has said of the group stays in it."""
    if unknown.status and not (unknown.taken and state in (State.EXISTS, State.REFUSED)):  # those speak of -20 alone
        reason = f"{reason}; the server answered {unknown.status}: {unknown.said}"
    return Receipt(state, unknown.status, reason, advice, now())


def unknown_if_taken(outcomes: Outcomes) -> Outcomes:
    """Return outcomes with `-20` as unknown, until a listing shows which of the two names is taken."""
    return [(at, replace(one, state=State.UNKNOWN) if one.status == NAME_TAKEN else one) for at, one in outcomes]
