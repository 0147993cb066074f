"""Claims: who sends which group, what came of it, and what looking has told; each in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from itnio_nb.api.models import Receipt, State, now
from itnio_nb.ledger.queries import PLACES
from itnio_nb.ledger.schema import NOT_RECORDED, NOT_RECORDED_ADVICE, claims, receipts, run_groups, runs, text_of

# A group in one of these states is not sent, whoever asks.
_SETTLED = {State.CREATED, State.PARTIAL, State.EXISTS, State.UNKNOWN}


class NewReceipt(NamedTuple):
    """One receipt of a run, as those who work on it need it."""

    receipt: int  # its number
    position: int
    state: str
    status: str


class SyncResult(NamedTuple):
    """What `RunStore.sync` found: positions that are the caller's now, positions that others hold, what is new."""

    claimed: list[int]
    held: list[int]
    news: list[NewReceipt]


class Resolution(NamedTuple):
    """What looking has told about a group: it counts only while the receipt that was known then is the newest."""

    run_id: int
    position: int
    known: int
    receipt: Receipt


def sync(
    connection: sa.Connection,
    run_id: int,
    owner: str,
    outcomes: Sequence[tuple[int, Receipt]],
    returned: Sequence[int],
    wanted: Sequence[tuple[int, int]],
    since: int,
) -> SyncResult:
    """Do what `RunStore.sync` says."""
    done = [*returned, *(at for at, _ in outcomes)]
    asked = [*done, *(at for at, _ in wanted)]
    found = _find(connection, run_id, asked)
    _add_receipts(connection, [(found[at].group_id, run_id, at, receipt) for at, receipt in outcomes])
    if done:
        ours = (claims.c.group_id.in_([found[at].group_id for at in done]), claims.c.owner == owner)
        connection.execute(claims.delete().where(*ours))
    held = [at for at, _ in wanted if found[at].owner]
    claimed = [at for at, seen in wanted if not found[at].owner and _may_be_sent(found[at], seen)]
    if claimed:
        claim = {"run_id": run_id, "owner": owner, "at": text_of(now())}
        rows = [{**claim, "group_id": found[at].group_id, "position": at} for at in claimed]
        connection.execute(claims.insert(), rows)
    columns = (receipts.c.id, receipts.c.position, receipts.c.state, receipts.c.status)
    newer = (receipts.c.id > since, receipts.c.run_id == run_id)
    news = connection.execute(sa.select(*columns).where(*newer).order_by(receipts.c.id)).all()
    return SyncResult(claimed, held, [NewReceipt(*row) for row in news])


def _find(connection: sa.Connection, run_id: int, positions: Sequence[int]) -> dict[int, sa.Row[Any]]:
    """Return what is known of some groups of a run, by position."""
    if not positions:
        return {}
    rows = connection.execute(PLACES, {"run_id": run_id, "positions": list(positions)})
    return {place.position: place for place in rows}


def _may_be_sent(place: sa.Row[Any], seen: int) -> bool:
    """Whether nothing was learnt of a group since, and nothing that was stands in the way."""
    return place.receipt == seen and (place.state not in _SETTLED or place.receipt == place.again_after)


def expire_claims(connection: sa.Connection, dead: Sequence[str]) -> None:
    """Turn the claims of owners that are gone into what they are: sent perhaps, and not known."""
    lost = Receipt(State.UNKNOWN, "", NOT_RECORDED, NOT_RECORDED_ADVICE, now())
    theirs = claims.c.owner.in_(dead)
    rows = connection.execute(sa.select(claims.c.group_id, claims.c.run_id, claims.c.position).where(theirs)).all()
    _add_receipts(connection, [(group_id, run_id, at, lost) for group_id, run_id, at in rows])
    connection.execute(claims.delete().where(theirs))


def write_resolutions(connection: sa.Connection, run_id: int, resolutions: Sequence[Resolution]) -> list[Resolution]:
    """Write what looking has told about groups of a run, where it still holds; return what was written."""
    found = _find(connection, run_id, [resolution.position for resolution in resolutions])
    held = [v for v in resolutions if found[v.position].receipt == v.known and not found[v.position].owner]
    _add_receipts(connection, [(found[v.position].group_id, run_id, v.position, v.receipt) for v in held])
    again = [found[v.position].group_id for v in held if v.receipt.state is State.PLANNED]
    if again:  # the newest run that has it can be resumed
        newest = sa.select(sa.func.max(run_groups.c.run_id)).where(run_groups.c.group_id.in_(again))
        reopened = runs.c.id.in_(newest.group_by(run_groups.c.group_id))
        connection.execute(runs.update().where(reopened).values(finished=None))
    return held


def _add_receipts(connection: sa.Connection, learnt: list[tuple[int, int, int, Receipt]]) -> None:
    """Write receipts: group, run, position, what was learnt."""
    rows = [
        {"group_id": group_id, "run_id": run_id, "position": position, "state": str(receipt.state)}
        | {"status": receipt.status, "reason": receipt.reason, "advice": receipt.advice, "at": text_of(receipt.at)}
        for group_id, run_id, position, receipt in learnt
    ]
    if rows:
        connection.execute(receipts.insert(), rows)
