"""The ledger's selects: groups with their state, runs, receipts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from itnio_nb.api.models import WIRE, Action, State
from itnio_nb.api.statuses import CREATED_STATUS, NAME_TAKEN
from itnio_nb.ledger.schema.functions import is_locked_for_us, texts_in
from itnio_nb.ledger.schema.tables import (
    accounts,
    actors,
    claims,
    groups,
    receipts,
    run_actors,
    run_groups,
    run_owners,
    runs,
)

WRITER = ("operator", "machine", "version")
SHARED = ("quantity", "displayNum", "appId", "reason", "advice")  # columns that all groups of a run may share
ENTRY = ("state", "run", "receipt")  # what a plan asks of a group
_SAMPLE = 100  # groups of one application from which it is learnt how the server writes
_role = sa.func.coalesce(actors.c.role, "").label("role")
_newest = receipts.alias("newest")  # the newest receipt of a group, whichever run wrote it
_ours = receipts.alias("ours")  # the newest receipt of a group in the run that is asked for
_newest_number = sa.func.coalesce(_newest.c.id, 0)
_claimed = claims.c.owner.is_not(None)
_run_id = sa.bindparam("run_id", type_=sa.Integer)
# A later receipt of another run decides, where this one created no phone.
_superseded = _ours.c.state.not_in(State.PRESENT) & (_newest.c.run_id != _run_id)
_columns = dict([*groups.c.items(), *run_groups.c.items()])
_api = {wire: _columns[name].label(wire) for name, wire in WIRE.items()}


def _known_groups() -> sa.Select[Any]:
    run_id = sa.func.coalesce(claims.c.run_id, _newest.c.run_id)
    position = sa.func.coalesce(claims.c.position, _newest.c.position)
    columns = [
        *_api.values(),
        sa.case((_claimed, State.SENDING), else_=_newest.c.state).label("state"),
        *(sa.case((_claimed, ""), else_=_newest.c[name]).label(name) for name in ("status", "reason")),
        sa.case((_newest.c.state == State.CREATED, _newest.c.at), else_="").label("made"),
        sa.func.coalesce(claims.c.at, _newest.c.at).label("at"),
        runs.c.name.label("run"),
        _newest_number.label("receipt"),
        _newest.c.ended_by,
        _tried(groups.c.id),
    ]
    joined = _with_newest(groups.join(accounts), groups.c.id)
    joined = joined.join(run_groups, sa.and_(run_groups.c.run_id == run_id, run_groups.c.position == position))
    return sa.select(*columns).select_from(joined.join(runs, runs.c.id == run_id)).order_by(groups.c.id)


def _created_receipts() -> sa.Select[Any]:
    # Group by group from the newest on, until there are enough: a join would look at all of them first.
    last = receipts.alias("last")
    told = sa.select(last.c.state + " " + last.c.status).where(last.c.group_id == groups.c.id)
    told = told.order_by(last.c.id.desc()).limit(1)
    number = sa.select(sa.func.max(last.c.id)).where(last.c.group_id == groups.c.id).scalar_subquery()
    ours = [accounts.c[name] == sa.bindparam(name) for name in ("base_url", "api_key")]
    account = sa.select(accounts.c.id).where(*ours).scalar_subquery()
    newest = sa.select(number.label("receipt")).where(told.scalar_subquery() == f"{State.CREATED} {CREATED_STATUS}")
    newest = newest.where(groups.c.app_id == sa.bindparam("app_id"), groups.c.account_id + 0 == account)
    newest = newest.where(groups.c.id.not_in(sa.select(claims.c.group_id)))
    return newest.order_by(groups.c.id.desc()).limit(_SAMPLE)


def _named_groups(known: sa.Select[Any]) -> sa.Select[Any]:
    is_named = groups.c.group_name.op("IN", is_comparison=True)(texts_in(sa.bindparam("names", type_=sa.Text)))
    named = known.where(groups.c.app_id == sa.bindparam("app_id"), is_named).order_by(None)
    return named.with_only_columns(_api["appId"], _api["groupName"], *(known.selected_columns[name] for name in ENTRY))


def _groups_of_run() -> sa.Select[Any]:
    sent = run_groups.alias("sent")
    columns = [
        *_api.values(),
        *_learnt_here(),
        run_groups.c.row,
        run_groups.c.action,
        run_groups.c.why,
        *_known_elsewhere(),
        _newest_number.label("newest"),
        *(_newest.c[name].label(f"newest_{name}") for name in ("status", "reason")),
        _newest.c.ended_by,
        *(sent.c[name].label(f"sent_{name}") for name in ("phone_name", "quantity", "display_num")),
        sa.func.coalesce(claims.c.owner, "").label("owner"),
        _tried(run_groups.c.group_id),
    ]
    here = sa.select(sa.func.max(receipts.c.id)).correlate(run_groups)
    here = here.where(receipts.c.run_id == _run_id, receipts.c.position == run_groups.c.position)
    joined = (
        _with_newest(run_groups.join(groups), run_groups.c.group_id)
        .outerjoin(
            _ours, _ours.c.id == sa.case((_newest.c.run_id == _run_id, _newest.c.id), else_=here.scalar_subquery())
        )
        .outerjoin(runs, runs.c.id == sa.func.coalesce(claims.c.run_id, _newest.c.run_id))
        .outerjoin(sent, sa.and_(sent.c.run_id == _newest.c.run_id, sent.c.position == _newest.c.position))
    )
    return sa.select(*columns).select_from(joined).where(run_groups.c.run_id == _run_id).order_by(run_groups.c.position)


def _facts_of(all_groups: sa.Select[Any], one: sa.Subquery | None = None) -> sa.Select[Any]:
    one = all_groups.order_by(None).subquery() if one is None else one
    why = sa.case((one.c.action == Action.IN_DOUBT, one.c.why), else_="").label("why")
    facts = [*(one.c[name] for name in ("state", "status", "owner", "action", "before")), why]
    nothing = [sa.literal("").label(name) for name in ("reason", "advice", "run")]
    sums = [sa.func.count().label("groups"), sa.func.sum(one.c.quantity).label("quantity")]
    return sa.select(*facts, *nothing, *sums).group_by(*facts)


def _kinds_of(all_groups: sa.Select[Any]) -> sa.Select[Any]:
    one = all_groups.add_columns(run_groups.c.position).order_by(None).subquery()
    asked = {"phoneName": "sent_phone_name", "quantity": "sent_quantity", "displayNum": "sent_display_num"}
    otherwise = sa.or_(*(one.c[sent] != one.c[name] for name, sent in asked.items()))
    of_plan = (one.c.action == Action.EXISTS, one.c.why.contains(" asked for"))
    was_found = (one.c.before == State.EXISTS) & one.c.newest_reason.contains(" asked for")
    was_found |= one.c.before == State.PARTIAL
    of_run = (one.c.state == "", sa.func.coalesce(otherwise, sa.false()) | sa.func.coalesce(was_found, sa.false()))
    differs = sa.case(of_plan, of_run, else_=one.c.reason.contains(" asked for")).label("differs")
    positions = sa.func.aggregate_strings(sa.cast(one.c.position, sa.Text), " ").label("positions")
    least = [sa.func.min(one.c[name]).label(f"least_{name}") for name in SHARED]
    most = [sa.func.max(one.c[name]).label(f"most_{name}") for name in SHARED]
    return _facts_of(all_groups, one).add_columns(positions, differs, *least, *most).group_by(differs)


def _learnt_here() -> list[sa.Label[Any]]:
    """Return `state status reason advice at` of each group from the run's own claims and receipts, else ""."""
    claimed_here = _claimed & (claims.c.run_id == _run_id)
    cells = {name: sa.func.coalesce(_ours.c[name], "") for name in ("state", "status", "reason", "advice", "at")}
    return [
        sa.case((claimed_here, State.SENDING if name == "state" else ""), (_superseded, ""), else_=cell).label(name)
        for name, cell in cells.items()
    ]


def _known_elsewhere() -> list[sa.Label[Any]]:
    """Return `before run`: the ledger's state of each group without this run's claims, and the run it comes from."""
    made_again = (_newest_number == run_groups.c.again_after) & ~_claimed  # planned in full knowledge of that receipt
    state = sa.case((_claimed & (claims.c.run_id != _run_id), State.SENDING), else_=_newest.c.state)
    cells = {"before": state, "run": runs.c.name}
    return [sa.case((made_again, ""), else_=sa.func.coalesce(cell, "")).label(name) for name, cell in cells.items()]


def _with_newest(source: sa.Join | sa.Table, group_id: sa.Column[int]) -> sa.Join:
    """Join the newest receipt and the claim of each group, where it has them."""
    theirs = receipts.alias("theirs")
    number = sa.select(sa.func.max(theirs.c.id)).where(theirs.c.group_id == group_id).scalar_subquery()
    return source.outerjoin(_newest, _newest.c.id == number).outerjoin(claims, claims.c.group_id == group_id)


def _tried(group_id: sa.Column[int]) -> sa.Label[bool]:
    lost = receipts.alias("lost")
    unanswered = (lost.c.group_id == group_id, lost.c.state == State.UNKNOWN, lost.c.status != NAME_TAKEN)
    return sa.exists().where(*unanswered).label("tried")


def _with_operator(query: sa.Select[Any], receipt_actor: sa.ColumnElement[int]) -> sa.Select[Any]:
    """Add `operator`: who holds the claim of a group, else who wrote a receipt of it; "" where that is not known."""
    theirs = (run_owners.c.run_id == claims.c.run_id) & (run_owners.c.owner == claims.c.owner)
    actor = sa.case((_claimed, run_owners.c.actor_id), else_=receipt_actor)
    joined = query.outerjoin(run_owners, theirs).outerjoin(actors, actors.c.id == actor)
    return joined.add_columns(sa.func.coalesce(actors.c.operator, "").label("operator"))


def _operators() -> sa.Select[Any]:
    later = receipts.alias("later")
    newest = sa.select(sa.func.max(later.c.id)).where(later.c.group_id == receipts.c.group_id).scalar_subquery()
    left_as = sa.case((receipts.c.id == newest, receipts.c.state), else_=sa.literal_column("''")).label("left_as")
    who = [actors.c[name] for name in WRITER[:2]]
    sums = [sa.func.count().label("receipts"), sa.func.min(receipts.c.at).label("first")]
    sums += [sa.func.max(receipts.c.at).label("last")]
    query = sa.select(*(sa.func.coalesce(one, "").label(one.name) for one in who), left_as, *sums)
    query = query.select_from(receipts.join(groups).join(accounts).outerjoin(actors))
    return query.group_by(*who, "left_as").order_by(sa.func.min(receipts.c.id))


# Built once, since that takes 11 ms and a run that works or is watched reads them again and again.
# Each group that was ever claimed or sent: the API's columns, `state status reason made run receipt tried`. A claim is
# the intent to send: as long as it stands the group is `sending`. `receipt` is the number of its newest receipt;
# `tried` tells whether a request may have created it without an answer that said so.
KNOWN_GROUPS = _known_groups()
# What restricts these, and receipts, to one account.
OF_ACCOUNT = tuple(accounts.c[name] == sa.bindparam(name) for name in ("base_url", "api_key"))
GROUPS_OF_ACCOUNT = KNOWN_GROUPS.where(*OF_ACCOUNT)
# The same groups, and who wrote what their states come from: `operator`.
GROUPS_AND_OPERATORS = _with_operator(KNOWN_GROUPS, _newest.c.actor_id)
# The groups of an application (`app_id`) of an account whose names are in a JSON list (`names`): key and `ENTRY`.
GROUPS_BY_NAME = _named_groups(GROUPS_OF_ACCOUNT)
# Of an application of an account, the newest groups that the server has answered with 0: the numbers of these receipts.
CREATED_RECEIPTS = _created_receipts()
# What was asked for in some `receipts`: the API's columns.
GROUPS_OF_RECEIPTS = (
    sa.select(*_api.values())
    .select_from(receipts.join(run_groups).join(groups, groups.c.id == receipts.c.group_id))
    .where(receipts.c.id.in_(sa.bindparam("receipts", expanding=True)))
    .order_by(groups.c.id.desc())
)
# Every receipt in the order in which it was written.
ALL_RECEIPTS = (
    sa.select(receipts.c.at, runs.c.name.label("run"), _api["appId"], _api["groupName"])
    .add_columns(receipts.c.state, receipts.c.status, receipts.c.reason, receipts.c.advice)
    .add_columns(*(sa.func.coalesce(actors.c[name], "").label(name) for name in WRITER), _role)
    .select_from(receipts.join(groups).join(runs, runs.c.id == receipts.c.run_id).outerjoin(actors))
    .order_by(receipts.c.id)
)
# The same, to be restricted to one account; where all are read, a look at each receipt's account would be for nothing.
RECEIPTS_AND_ACCOUNTS = ALL_RECEIPTS.join(accounts, accounts.c.id == groups.c.account_id)
# Who wrote receipts, how many, the first and the last; `left_as` is the state of a group whose newest receipt it is.
OPERATORS = _operators()
# The receipts of a run's groups (`run_id`) that were not created as asked, after receipt `since`, in order.
PROBLEMS_OF_RUN = (
    sa.select(receipts.c.id.label("receipt"), _api["groupName"], receipts.c.state, receipts.c.reason, receipts.c.advice)
    .select_from(receipts.join(groups))
    .where(receipts.c.id > sa.bindparam("since"), receipts.c.run_id == _run_id)
    .where(receipts.c.state.in_([*State.FAILED, State.UNKNOWN]))
    .order_by(receipts.c.id)
)
# Every run with its size.
ALL_RUNS = (
    sa.select(runs.c.name.label("run"), runs.c.started, sa.func.coalesce(runs.c.finished, "").label("finished"))
    .add_columns(sa.func.count(run_groups.c.position).label("groups"))
    .add_columns(sa.func.coalesce(sa.func.sum(run_groups.c.quantity), 0).label("phones"))
    .add_columns((accounts.c.base_url + " " + accounts.c.api_key).label("account"), runs.c.note)
    .add_columns(sa.func.coalesce(runs.c.source, "").label("source"), runs.c.rows, runs.c.left_out)
    .select_from(runs.join(accounts).outerjoin(run_groups, run_groups.c.run_id == runs.c.id))
    .group_by(runs.c.id, accounts.c.id)
    .order_by(runs.c.id)
)
# Who has ever worked on each run, in the order in which they first did.
ALL_WORKERS = (
    sa.select(runs.c.name.label("run"), actors.c.operator, actors.c.machine)
    .select_from(run_actors.join(runs).join(actors))
    .order_by(run_actors.c.id)
)
# The groups of a run (`run_id`) in order; the columns are those of `RunStore.run_table`.
GROUPS_OF_RUN = _groups_of_run()
# Who wrote what the states of these groups come from: `operator`.
OPERATORS_OF_RUN = _with_operator(
    GROUPS_OF_RUN.with_only_columns(maintain_column_froms=True),
    sa.case((_superseded, _newest.c.actor_id), else_=sa.func.coalesce(_ours.c.actor_id, _newest.c.actor_id)),
)
# How many groups and phones of a run (`run_id`) there are of each kind of facts that decide a group's state.
FACTS_OF_RUN = _facts_of(GROUPS_OF_RUN)
# The same, and where the groups of each kind are in the run: see `RunStore.run_kinds`.
KINDS_OF_RUN = _kinds_of(GROUPS_OF_RUN)
# Groups (`positions`) of a run (`run_id`), and whether they can be claimed in this transaction.
LOCKED_GROUPS = sa.select(run_groups.c.position, is_locked_for_us(run_groups.c.group_id).label("is_locked")).where(
    run_groups.c.run_id == _run_id, run_groups.c.position.in_(sa.bindparam("positions", expanding=True))
)
# The newest receipt and the claim of groups (`positions`) of a run (`run_id`).
CLAIMABLE_GROUPS = (
    sa.select(run_groups.c.position, run_groups.c.group_id, run_groups.c.again_after)
    .add_columns(_newest_number.label("receipt"), _newest.c.state, _newest.c.reason, _newest.c.at, claims.c.owner)
    .select_from(_with_newest(run_groups, run_groups.c.group_id))
    .where(run_groups.c.run_id == _run_id, run_groups.c.position.in_(sa.bindparam("positions", expanding=True)))
)
# The groups of an owner's claims (`its_owner`) of a run at some `positions`; they are given back.
RETURNED_CLAIMS = (
    claims.delete()
    .where(claims.c.owner == sa.bindparam("its_owner"), claims.c.run_id == _run_id)
    .where(claims.c.position.in_(sa.bindparam("positions", expanding=True)))
    .returning(claims.c.position, claims.c.group_id)
)
# The receipts of a run after one that is known (`since`).
NEW_RECEIPTS = (
    sa.select(receipts.c.id, receipts.c.position, receipts.c.state)
    .where(receipts.c.id > sa.bindparam("since"), receipts.c.run_id == _run_id)
    .order_by(receipts.c.id)
)
# The terms of a run (`RunTerms`); who works on it, or did and was killed; what one of them is to do.
TERMS = sa.select(runs.c.workers, runs.c.rate, runs.c.confirmed).where(runs.c.id == _run_id)
WORKING_OWNERS = sa.select(run_owners.c.owner).where(run_owners.c.run_id == _run_id)
_is_theirs = (run_owners.c.run_id == runs.c.id) & (run_owners.c.owner == sa.bindparam("its_owner"))
DIRECTIONS = (
    sa.select(run_owners.c.stopping, runs.c.rate, runs.c.held_until)
    .select_from(runs.outerjoin(run_owners, _is_theirs))
    .where(runs.c.id == _run_id)
)
# Who holds claims of a run; of them those who are to stop.
CLAIM_OWNERS = sa.select(claims.c.owner).distinct().where(claims.c.run_id == _run_id)
STOPPING_CLAIM_OWNERS = CLAIM_OWNERS.where(claims.c.owner.in_(WORKING_OWNERS.where(run_owners.c.stopping)))
# Those of some receipts (`receipts`) that are the newest of their groups, and no claim has come since.
UNCHANGED_GROUPS = (
    sa.select(receipts.c.id, receipts.c.group_id, receipts.c.run_id, receipts.c.position)
    .select_from(_with_newest(receipts, receipts.c.group_id))
    .where(receipts.c.id.in_(sa.bindparam("receipts", expanding=True)), receipts.c.id == _newest.c.id, ~_claimed)
)
# Values of which one differs after every change of the ledger.
CHANGE_TOKEN = sa.select(
    sa.select(sa.func.max(receipts.c.id)).scalar_subquery(),
    sa.select(sa.func.max(claims.c.at)).scalar_subquery(),
    sa.select(sa.func.count(claims.c.group_id)).scalar_subquery(),
    sa.select(sa.func.max(runs.c.id)).scalar_subquery(),
    sa.select(sa.func.count(runs.c.finished)).scalar_subquery(),
    sa.select(sa.func.sum(sa.func.length(runs.c.note))).scalar_subquery(),
)
