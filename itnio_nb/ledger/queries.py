"""What the ledger's tables say together: its selects."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from itnio_nb.api.models import State
from itnio_nb.ledger.schema import accounts, claims, groups, receipts, run_groups, runs

# The status that says that a name is taken: that request has created nothing.
_TAKEN = "-20"

newest = receipts.alias("newest")
_WIRE = [
    groups.c.group_name.label("groupName"),
    run_groups.c.phone_name.label("phoneName"),
    run_groups.c.quantity,
    run_groups.c.display_num.label("displayNum"),
    groups.c.app_id.label("appId"),
]
_claimed = claims.c.owner.is_not(None)
# A claim is the intent to send: as long as it stands, that is the group's state, whatever was before.
_state = sa.case((_claimed, State.SENDING), else_=newest.c.state)


def known_groups() -> sa.Select[Any]:
    """Select each group that was ever claimed or sent, with its state: one row each.

    Columns: the API's, `state status reason made run`, and what the ledger itself needs: `run_id position receipt
    tried`. `tried` is whether a request may have created it without an answer that said so.
    """
    run_id = sa.func.coalesce(claims.c.run_id, newest.c.run_id)
    position = sa.func.coalesce(claims.c.position, newest.c.position)
    columns = [
        *_WIRE,
        _state.label("state"),
        *(sa.case((_claimed, ""), else_=newest.c[name]).label(name) for name in ("status", "reason")),
        sa.case((newest.c.state == State.CREATED, newest.c.at), else_="").label("made"),
        runs.c.name.label("run"),
        run_id.label("run_id"),
        position.label("position"),
        sa.func.coalesce(newest.c.id, 0).label("receipt"),
        _tried(groups.c.id).label("tried"),
    ]
    joined = (
        groups.join(accounts)
        .outerjoin(newest, newest.c.id == _newest_of(groups.c.id))
        .outerjoin(claims, claims.c.group_id == groups.c.id)
        .join(run_groups, sa.and_(run_groups.c.run_id == run_id, run_groups.c.position == position))
        .join(runs, runs.c.id == run_id)
    )
    return sa.select(*columns).select_from(joined).order_by(groups.c.id)


def groups_of_run(run_id: int) -> sa.Select[Any]:
    """Select the groups of a run in order; the columns are those of `RunStore.run_table`."""
    here = sa.select(sa.func.max(receipts.c.id)).correlate(run_groups)
    here = here.where(receipts.c.run_id == run_id, receipts.c.position == run_groups.c.position)
    ours, placed = receipts.alias("ours"), run_groups.alias("placed")
    # What another run has learnt since decides, where nothing of this run is final.
    passed = ours.c.state.in_([State.PLANNED, State.REFUSED, State.UNKNOWN]) & (newest.c.run_id != run_id)
    ours_claimed = _claimed & (claims.c.run_id == run_id)
    silent = ours_claimed | passed
    number = sa.func.coalesce(newest.c.id, 0)
    foreseen = (number == run_groups.c.again_after) & ~_claimed
    elsewhere = sa.case((_claimed & (claims.c.run_id != run_id), State.SENDING), else_=newest.c.state)
    cells = [
        sa.case((silent, ""), else_=sa.func.coalesce(ours.c[name], "")).label(name)
        for name in ("status", "reason", "advice", "at")
    ]
    columns = [
        *_WIRE,
        sa.case((ours_claimed, State.SENDING), (passed, ""), else_=sa.func.coalesce(ours.c.state, "")).label("state"),
        *cells,
        run_groups.c.row,
        run_groups.c.action,
        run_groups.c.why,
        sa.case((foreseen, ""), else_=sa.func.coalesce(elsewhere, "")).label("before"),
        sa.case((foreseen, ""), else_=sa.func.coalesce(runs.c.name, "")).label("run"),
        number.label("newest"),
        newest.c.run_id.label("newest_run"),
        newest.c.position.label("newest_position"),
        newest.c.status.label("newest_status"),
        placed.c.phone_name.label("sent_phone_name"),
        placed.c.quantity.label("sent_quantity"),
        placed.c.display_num.label("sent_display_num"),
        sa.func.coalesce(claims.c.owner, "").label("owner"),
        _tried(run_groups.c.group_id).label("tried"),
    ]
    joined = (
        run_groups.join(groups)
        .outerjoin(ours, ours.c.id == here.scalar_subquery())
        .outerjoin(newest, newest.c.id == _newest_of(run_groups.c.group_id))
        .outerjoin(claims, claims.c.group_id == run_groups.c.group_id)
        .outerjoin(runs, runs.c.id == sa.func.coalesce(claims.c.run_id, newest.c.run_id))
        .outerjoin(placed, sa.and_(placed.c.run_id == newest.c.run_id, placed.c.position == newest.c.position))
    )
    selected = sa.select(*columns).select_from(joined).where(run_groups.c.run_id == run_id)
    return selected.order_by(run_groups.c.position)


def _places() -> sa.Select[Any]:
    columns = [
        run_groups.c.position,
        run_groups.c.group_id,
        run_groups.c.again_after,
        sa.func.coalesce(newest.c.id, 0).label("receipt"),
        newest.c.state,
        claims.c.owner,
    ]
    joined = run_groups.outerjoin(newest, newest.c.id == _newest_of(run_groups.c.group_id)).outerjoin(
        claims, claims.c.group_id == run_groups.c.group_id
    )
    chosen = (
        run_groups.c.run_id == sa.bindparam("run_id"),
        run_groups.c.position.in_(sa.bindparam("positions", expanding=True)),
    )
    return sa.select(*columns).select_from(joined).where(*chosen)


def all_receipts() -> sa.Select[Any]:
    """Select every receipt in the order in which it was written."""
    receipt = [receipts.c[name] for name in ("state", "status", "reason", "advice")]
    columns = [receipts.c.at, runs.c.name.label("run"), groups.c.app_id.label("appId")]
    columns += [groups.c.group_name.label("groupName"), *receipt]
    joined = receipts.join(groups).join(runs, runs.c.id == receipts.c.run_id)
    return sa.select(*columns).select_from(joined).order_by(receipts.c.id)


def all_runs() -> sa.Select[Any]:
    """Select every run with its size."""
    finished = sa.func.coalesce(runs.c.finished, "").label("finished")
    size = sa.func.count(run_groups.c.position).label("groups")
    phones = sa.func.coalesce(sa.func.sum(run_groups.c.quantity), 0).label("phones")
    account = (accounts.c.base_url + " " + accounts.c.api_key).label("account")
    columns = [runs.c.name.label("run"), runs.c.started, finished, size, phones, account, runs.c.note]
    joined = runs.join(accounts).outerjoin(run_groups, run_groups.c.run_id == runs.c.id)
    return sa.select(*columns).select_from(joined).group_by(runs.c.id).order_by(runs.c.id)


def problems_of_run(run_id: int, since: int) -> sa.Select[Any]:
    """Select what was not created as asked, in the order in which it was learnt, after receipt `since`."""
    columns = [receipts.c.id.label("receipt"), groups.c.group_name.label("groupName")]
    columns += [receipts.c[name].label(name) for name in ("state", "reason", "advice")]
    bad = receipts.c.state.in_([State.PARTIAL, State.REFUSED, State.UNKNOWN])
    chosen = (receipts.c.id > since, receipts.c.run_id == run_id, bad)
    return sa.select(*columns).select_from(receipts.join(groups)).where(*chosen).order_by(receipts.c.id)


def _change_token() -> sa.Select[Any]:
    newest = sa.select(sa.func.max(receipts.c.id)).scalar_subquery()
    last_claim = sa.select(sa.func.max(claims.c.at)).scalar_subquery()
    claimed = sa.select(sa.func.count()).select_from(claims).scalar_subquery()
    told = (sa.func.max(runs.c.id), sa.func.count(runs.c.finished), sa.func.sum(sa.func.length(runs.c.note)))
    return sa.select(newest, last_claim, claimed, *(sa.select(one).scalar_subquery() for one in told))


def _newest_of(group_id: sa.Column[int]) -> Any:
    """Select the number of a group's newest receipt."""
    return sa.select(sa.func.max(receipts.c.id)).where(receipts.c.group_id == group_id).scalar_subquery()


def _tried(group_id: sa.Column[int]) -> Any:
    lost = receipts.alias("lost")
    unanswered = (lost.c.group_id == group_id, lost.c.state == State.UNKNOWN, lost.c.status != _TAKEN)
    return sa.exists().where(*unanswered)


# What must be known of some groups (`positions`) of a run (`run_id`) before one is claimed or recorded. Made once:
# every exchange asks it.
PLACES = _places()
# What changes with every change of the ledger.
CHANGE_TOKEN = _change_token()
