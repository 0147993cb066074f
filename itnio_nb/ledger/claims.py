"""Claims and receipts: each group has one sender at a time, and what came of it is written in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from itnio_nb.api.models import Receipt, State, now
from itnio_nb.ledger.queries import CLAIMABLE_GROUPS, UNCHANGED_GROUPS
from itnio_nb.ledger.schema import (
    add_receipts,
    claims,
    insert_rows,
    not_recorded,
    receipts,
    run_groups,
    run_owners,
    runs,
    text_of,
)

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


class Resolution(NamedTuple):
    """What listings have shown of a group: it counts only while the receipt that was seen then is the newest."""

    seen: int  # number of that receipt
    receipt: Receipt


def sync(
    connection: sa.Connection,
    run_id: int,
    owner: str,
    outcomes: Outcomes,
    returned: Sequence[int],
    wanted: Wanted,
    since: int,
) -> SyncResult:
    """Do what `RunStore.sync` says, in the transaction of `connection`."""
    done = [*returned, *(at for at, _ in outcomes)]
    positions = [*done, *(at for at, _ in wanted)]
    rows = connection.execute(CLAIMABLE_GROUPS, {"run_id": run_id, "positions": positions}) if positions else ()
    found = {row.position: row for row in rows}
    add_receipts(connection, [(found[at].group_id, run_id, at, receipt) for at, receipt in outcomes])
    if done:
        ours = (claims.c.group_id.in_([found[at].group_id for at in done]), claims.c.owner == owner)
        connection.execute(claims.delete().where(*ours))
    held = [at for at, _ in wanted if found[at].owner]
    claimed = [at for at, seen in wanted if not found[at].owner and _may_be_sent(found[at], seen)]
    claim = {"run_id": run_id, "owner": owner, "at": text_of(now())}
    insert_rows(
        connection, claims.insert(), [claim | {"group_id": found[at].group_id, "position": at} for at in claimed]
    )
    newer = (receipts.c.id > since, receipts.c.run_id == run_id)
    query = sa.select(receipts.c.id, receipts.c.position, receipts.c.state).where(*newer).order_by(receipts.c.id)
    return SyncResult(claimed, held, [NewReceipt(*row) for row in connection.execute(query)])


def _may_be_sent(group: sa.Row[Any], seen: int) -> bool:
    """Tell whether `seen` is a group's newest receipt, and it stands in the way of no request."""
    sendable = group.state is None or group.state in State.SENDABLE or group.receipt == group.again_after
    return bool(group.receipt == seen and sendable)


def expire_claims(connection: sa.Connection, dead: Sequence[str]) -> None:
    """Write an `unknown` receipt for each claim of dead owners, and delete the claim; they work on no run any more."""
    theirs = claims.c.owner.in_(dead)
    rows = connection.execute(sa.select(claims.c.group_id, claims.c.run_id, claims.c.position).where(theirs)).all()
    add_receipts(connection, [(*row, not_recorded()) for row in rows])
    connection.execute(claims.delete().where(theirs))
    connection.execute(run_owners.delete().where(run_owners.c.owner.in_(dead)))


def write_resolutions(connection: sa.Connection, resolutions: Sequence[Resolution]) -> list[Resolution]:
    """Write the resolutions that still hold, and return them."""
    rows = connection.execute(UNCHANGED_GROUPS, {"receipts": [one.seen for one in resolutions]})
    places = {number: (group_id, run_id, position) for number, group_id, run_id, position in rows}
    valid = [one for one in resolutions if one.seen in places]
    add_receipts(connection, [(*places[one.seen], one.receipt) for one in valid])
    absent = [places[one.seen][0] for one in valid if one.receipt.state is State.PLANNED]
    if absent:  # the newest run that has it can be resumed
        newest = sa.select(sa.func.max(run_groups.c.run_id)).where(run_groups.c.group_id.in_(absent))
        reopened = runs.c.id.in_(newest.group_by(run_groups.c.group_id))
        connection.execute(runs.update().where(reopened).values(finished=None))
    return valid
