"""Claims and receipts: each group has one sender at a time, and what came of it is written in one transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from itnio_nb.api.models import Receipt, State, now
from itnio_nb.ledger.database.database import Database
from itnio_nb.ledger.queries import CLAIMABLE_GROUPS, LOCKED_GROUPS, NEW_RECEIPTS, RETURNED_CLAIMS, UNCHANGED_GROUPS
from itnio_nb.ledger.schema.rows import ReceiptRow, add_receipts, insert_rows, not_recorded, text_of
from itnio_nb.ledger.schema.tables import claims, run_groups, run_owners, runs

_USED = 0.98  # of a rate
_MAX_AHEAD = 60.0  # seconds; a turn that is further away was given before this machine's clock was set back
_CLAIM = claims.insert()
_NEXT_TURN = sa.select(runs.c.rate, runs.c.next_turn).where(runs.c.id == sa.bindparam("run_id"))

Outcomes = Sequence[tuple[int, Receipt]]  # positions of groups that the caller had claimed, and what came of them
Wanted = Sequence[tuple[int, int]]  # positions, and the newest receipt that the caller has seen of each, 0 for none


class NewReceipt(NamedTuple):
    """One receipt of a run, as those who work on it need it."""

    number: int
    position: int
    state: str


class SyncResult(NamedTuple):
    """What `RunStore.sync` returns."""

    claimed: list[int]  # positions that are the caller's now
    held: list[int]  # positions that others have claimed
    new_receipts: list[NewReceipt]
    turns: list[float]  # that the caller may use to send a request, as Unix times


class Resolution(NamedTuple):
    """What listings have shown of a group: it counts only while the receipt that was seen then is the newest."""

    seen: int  # number of that receipt
    receipt: Receipt


def sync(
    database: Database,
    connection: sa.Connection,
    run_id: int,
    owner: str,
    outcomes: Outcomes,
    returned: Sequence[int],
    wanted: Wanted,
    since: int,
    turns: int,
) -> SyncResult:
    """Do what `RunStore.sync` says, in the transaction of `connection`."""
    if outcomes or returned:
        _record(database, connection, run_id, owner, outcomes, returned)
    held, claimed = _claim(connection, run_id, owner, wanted) if wanted else ([], [])
    reserved = take_turns(database, connection, run_id, turns) if turns else []
    newer = connection.execute(NEW_RECEIPTS, {"run_id": run_id, "since": since})
    return SyncResult(claimed, held, list(map(NewReceipt._make, newer)), reserved)


def _record(
    database: Database, connection: sa.Connection, run_id: int, owner: str, outcomes: Outcomes, returned: Sequence[int]
) -> None:
    """End the claims of an owner at these positions, and write what came of those that it has sent.

    A claim that is not there any more was taken for one of a dead owner: what listings have shown of its group since
    stands, and so does what this owner has written already, before it knew that it had.
    """
    answered, positions = dict(outcomes), [*returned, *(at for at, _ in outcomes)]
    where = {"run_id": run_id, "its_owner": owner, "positions": positions}
    held: dict[int, int] = {one.position: one.group_id for one in connection.execute(RETURNED_CLAIMS, where)}
    news = [(held[at], at, receipt) for at, receipt in outcomes if at in held]
    if taken := [at for at in positions if at not in held]:
        where = {"run_id": run_id, "positions": taken}
        for group in connection.execute(CLAIMABLE_GROUPS, where):
            receipt = answered.get(group.position)
            if receipt is None and group.reason == not_recorded().reason:
                receipt = _not_sent()
            known = receipt is not None and (group.state, group.at) == (receipt.state, text_of(receipt.at))
            if receipt is not None and group.state not in State.PRESENT and not known:
                news.append((group.group_id, group.position, receipt))
    actor = database.actor_number(connection, [run_id]) if news else None
    add_receipts(connection, [ReceiptRow(group_id, run_id, at, receipt, actor) for group_id, at, receipt in news])


def recover(
    database: Database, connection: sa.Connection, run_id: int, lost: str, outcomes: Outcomes, unsent: Sequence[int]
) -> None:
    """Do what `RunStore.recover` says of an owner that is lost, in the transaction of `connection`."""
    _record(database, connection, run_id, lost, outcomes, unsent)
    connection.execute(claims.delete().where(claims.c.run_id == run_id, claims.c.owner == lost))
    connection.execute(run_owners.delete().where(run_owners.c.run_id == run_id, run_owners.c.owner == lost))


def _not_sent() -> Receipt:
    reason = "not sent: its sender did not reach the ledger any more"
    return Receipt(State.PLANNED, "", reason, "It can be sent again.", now())


def _claim(connection: sa.Connection, run_id: int, owner: str, wanted: Wanted) -> tuple[list[int], list[int]]:
    """Claim what of the wanted groups may be sent; return the positions that others hold, and those claimed.

    Another run may have the same groups: what it is about to claim in this very moment is held too.
    """
    where = {"run_id": run_id, "positions": [at for at, _ in wanted]}
    locks = connection.execute(LOCKED_GROUPS, where)  # before it is read what others have claimed
    locked = {row.position for row in locks if row.is_locked}
    found = {row.position: row for row in connection.execute(CLAIMABLE_GROUPS, where)}
    held = [at for at, _ in wanted if found[at].owner or at not in locked]
    claimed = [at for at, seen in wanted if at not in held and _may_be_sent(found[at], seen)]
    claim = {"run_id": run_id, "owner": owner, "at": text_of(now())}
    insert_rows(connection, _CLAIM, [claim | {"group_id": found[at].group_id, "position": at} for at in claimed])
    return held, claimed


def take_turns(database: Database, connection: sa.Connection, run_id: int, number: int) -> list[float]:
    """Reserve the next `number` turns of a run to send a request, as Unix times; none where it has no rate.

    Turns are evenly spaced and belong to whoever has reserved them, in whatever process. They are a fiftieth further
    apart than the rate says: so many requests may arrive in any second at most, though some come a little late. They
    are given out by the ledger's clock, and returned by this machine's.
    """
    rate, next_turn = connection.execute(_NEXT_TURN, {"run_id": run_id}).one()
    if rate is None:
        return []
    gap, at = 1 / (_USED * rate), database.clock(connection)
    ahead = time.time() - at
    if next_turn is not None and at < next_turn < at + max(_MAX_AHEAD, 100 * gap):
        at = next_turn
    connection.execute(runs.update().where(runs.c.id == run_id).values(next_turn=at + number * gap))
    return [at + ahead + turn * gap for turn in range(number)]


def _may_be_sent(group: sa.Row[Any], seen: int) -> bool:
    """Tell whether `seen` is a group's newest receipt, and it stands in the way of no request."""
    sendable = group.state is None or group.state in State.SENDABLE or group.receipt == group.again_after
    return bool(group.receipt == seen and sendable)


def expire_claims(database: Database, connection: sa.Connection, dead: Sequence[str]) -> None:
    """Write an `unknown` receipt for each claim of dead owners, and delete the claim; they work on no run any more.

    The receipt says who they were, and until when a request of theirs may be under way.
    """
    theirs = claims.c.owner.in_(dead)
    same = (run_owners.c.run_id == claims.c.run_id) & (run_owners.c.owner == claims.c.owner)
    query = sa.select(
        claims.c.group_id, claims.c.run_id, claims.c.position, run_owners.c.actor_id, run_owners.c.longest
    )
    lost = connection.execute(query.select_from(claims.outerjoin(run_owners, same)).where(theirs)).all()
    at = database.clock(connection)
    ended = [None if one.longest is None else at + one.longest for one in lost]
    rows = [ReceiptRow(*one[:3], not_recorded(), one.actor_id, by) for one, by in zip(lost, ended, strict=True)]
    add_receipts(connection, rows)
    connection.execute(claims.delete().where(theirs))
    connection.execute(run_owners.delete().where(run_owners.c.owner.in_(dead)))


def write_resolutions(
    database: Database, connection: sa.Connection, resolutions: Sequence[Resolution]
) -> list[Resolution]:
    """Write the resolutions that still hold, and return them."""
    rows = connection.execute(UNCHANGED_GROUPS, {"receipts": [one.seen for one in resolutions]})
    places = {number: (group_id, run_id, position) for number, group_id, run_id, position in rows}
    valid = [one for one in resolutions if one.seen in places]
    actor = database.actor_number(connection, {places[one.seen][1] for one in valid}) if valid else None
    add_receipts(connection, [ReceiptRow(*places[one.seen], one.receipt, actor) for one in valid])
    absent = [places[one.seen][0] for one in valid if one.receipt.state is State.PLANNED]
    if absent:  # the newest run that has it can be resumed
        newest = sa.select(sa.func.max(run_groups.c.run_id)).where(run_groups.c.group_id.in_(absent))
        reopened = runs.c.id.in_(newest.group_by(run_groups.c.group_id))
        connection.execute(runs.update().where(reopened).values(finished=None))
    return valid
