"""Submit a plan, or go on with what was left: one run for each plan, however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import API_COLUMNS, Action, State
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError, StalePlanError
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.ledger.run_control import RunTerms
from itnio_nb.ledger.views.charts import Charts
from itnio_nb.orders.export.stored import orders_to_json
from itnio_nb.runs.plan import Plan, account_key, fingerprint, groups_to_keep, make_plan
from itnio_nb.runs.results import GroupStates, all_as_asked, show_html
from itnio_nb.runs.run import Run, RunRecord, newest_run
from itnio_nb.runs.sending.background import AtWork
from itnio_nb.runs.sending.pace import RunOptions, is_whole

_Key = tuple[str, ...]  # ledger, account and fingerprint
_at_work = AtWork[Run]()


class DryRun(Run):
    """A plan that was not applied: nothing was sent, it is over, and its table has what the plan expects."""

    def __init__(self, plan: Plan, client: Client, ledger: Ledger) -> None:
        super().__init__(None, client, ledger)
        self._plan, self.rows, self.left_out = plan, len(plan.orders), plan.left_out

    @property
    def table(self) -> pd.DataFrame:
        """One row for each group, as of any run; its state is what was found there: `planned`, `exists`, `unknown`."""
        states = dict(zip(Action, (State.PLANNED, State.EXISTS, State.UNKNOWN, State.SENDING), strict=True))
        planned = self._plan.table
        table = planned[list(API_COLUMNS)].assign(state=planned["action"].map(states).astype(str), status="")
        return table.assign(reason=planned["why"], advice="", row=planned["row"], at="", created_in="")

    @property
    def as_asked(self) -> bool:
        """Whether every row of the orders was found there as it was asked for."""
        return not self.left_out and all_as_asked(self.table)

    @property
    def _totals(self) -> pd.DataFrame:
        return self.table

    def _summary_of(self, table: pd.DataFrame) -> str:  # noqa: ARG002 - the plan has its own
        return f"Dry run: nothing was sent. {self._plan.summary}"

    def charts(self) -> Charts:
        """Return a picture of nothing: no group was sent."""
        return Charts(self.table.iloc[:0], "at")

    def __repr__(self) -> str:
        return self.summary

    def _repr_html_(self) -> str:
        return show_html(self.summary)


def submit_plan(
    plan: Plan,
    client: Client,
    ledger: Ledger,
    *,
    apply: bool = True,
    workers: int | None = None,
    rate: float | None = None,
    confirm: int | None = None,
) -> Run:
    """Send what a plan has to create, and return at once with the `Run` that works in the background.

        run = submit_plan(plan, client, ledger, confirm=867).wait()
        run.summary

    `workers` requests (1 to 64, else 8) are under way at once, `rate` is the most requests in one second, pages of the
    run's listings included, over all who work on it (None: no limit). A group that the ledger knows as made, being
    sent or in doubt is never sent. A plan whose run was stopped goes on with that run, as it was begun where nothing
    else is said here; while a run of the same groups is at work, here or in another process, that one is joined,
    whatever has been created since, and can be made slower only. `apply=False` sends nothing and returns a finished
    run that says so.

    `confirm` is the number of phones that the plan was seen to create. A live account needs it, a sandbox does not;
    where given, a plan that creates another number is not sent (`InputError`).

    Raises `InputError` for an `apply` that is neither True nor False: a text such as "no" sends nothing;
    `StalePlanError` for a plan that was made for another account, or was saved and no longer fits; `LedgerError`
    where the intent cannot be written.
    """
    if not isinstance(plan, Plan):
        raise InputError("submit_plan sends a plan: submit_plan(make_plan(orders, client, ledger), client, ledger).")
    require_tools(client, ledger)
    require_switch("apply", apply)
    terms = _terms(workers, rate)._replace(confirmed=plan.phones)
    _require_agreement(plan, client, confirm, sends=apply)
    if not apply:
        return DryRun(plan, client, ledger)
    account = account_key(client.account)
    wanted = plan.fingerprint if plan.account_key else fingerprint((one.group for one in plan.groups), account)
    key = (ledger.address, *account, wanted)
    if (working := _at_work.by_key.get(key)) is not None:  # a double click: nothing to write, nobody to ask
        return working
    to_keep = (client.account, wanted, groups_to_keep(plan), orders_to_json(plan.orders, plan.findings))
    if plan.loaded and not ledger.run_store.has_unfinished(*to_keep):
        _require_current(plan, client, ledger)
    ledger.run_control.expire_claims()
    with _at_work.lock:
        return _begin(key, client, ledger, lambda owner: ledger.run_store.open_run(*to_keep, owner, terms))


class Remainder(NamedTuple):
    """What is left of an unfinished run: what `resume` sends, and what it looks up first."""

    groups: pd.DataFrame  # that it sends: API columns and `state`, `planned` or `refused`
    unknown: pd.DataFrame  # that it looks up, and sends where they are absent: API columns and `state`
    terms: RunTerms

    @property
    def phones(self) -> int:
        """How many phones it sends."""
        return int(self.groups["quantity"].sum())

    @property
    def refused(self) -> int:
        """How many groups it sends anew that were refused, for a cause outside of the group."""
        return int((self.groups["state"] == State.REFUSED).sum())


def remainder(record: RunRecord) -> Remainder:
    """Return what is left of a run: nothing of a finished one.

    remainder(run).phones
    """
    kept = record.ledger.run_store.run_table(record.number)
    states = GroupStates(kept)
    table = kept[list(API_COLUMNS)].assign(state=[str(state) for state in states.states])
    sent = [] if record.finished else states.to_send
    known, sending = [] if record.finished else enumerate(states.known), set(sent)
    unknown = [at for at, state in known if state in State.UNRESOLVED and at not in sending]
    return Remainder(table.iloc[sent], table.iloc[unknown], record.ledger.run_control.terms(record.number))


def resume(
    client: Client,
    ledger: Ledger,
    *,
    run: str | None = None,
    workers: int | None = None,
    rate: float | None = None,
    confirm: int | None = None,
) -> Run:
    """Go on with the newest unfinished run of this account: resolve what is unknown, send what was not sent.

        resume(client, ledger).wait().summary
        resume(client, ledger, run="20261123T203119Z")      # an older one, by its name in ledger.runs

    It works as it was begun where `workers` and `rate` say nothing else, see `submit_plan`. A run that is at work in
    this process is returned, one that is at work in another is joined; where none is unfinished, a finished, empty one
    is returned. The number of phones that was confirmed holds for it. `confirm`, where given, is the number of phones
    that `remainder` says it sends: another one sends nothing (`InputError`).

    Raises what `submit_plan` raises, and `InputError` for a `run` that is finished, that there is not, or whose number
    nobody has confirmed on this live account.
    """
    require_tools(client, ledger)
    terms = _terms(workers, rate)
    ledger.run_control.expire_claims()
    with _at_work.lock:
        if (chosen := _unfinished_run(client, ledger, run)) is None:
            return Run(None, client, ledger)
        if confirm is not None:
            _require_remainder(remainder(chosen), confirm)
        run_id = chosen.number
        wanted = str(ledger.run_store.run_info(run_id, "fingerprint")["fingerprint"])
        key = (ledger.address, *account_key(client.account), wanted)
        return _begin(key, client, ledger, lambda owner: ledger.run_control.join(run_id, owner, terms))


def _unfinished_run(client: Client, ledger: Ledger, name: str | None) -> RunRecord | None:
    """Return the unfinished run of that name, or the newest; None where none is unfinished."""
    unfinished = ledger.runs_of(client.account, unfinished=True)
    if name is not None and name not in unfinished:
        names = ", ".join(unfinished) or "none"
        raise InputError(f"There is no unfinished run {name!r} of this account. Unfinished: {names}.")
    chosen = newest_run(ledger, unfinished, name or "")
    if chosen is None or client.account.is_sandbox or ledger.run_control.terms(chosen.number).confirmed is not None:
        return chosen
    raise InputError(
        f"Nothing was sent: nobody has confirmed how many phones run {chosen.name} may create on this live account. "
        "Plan the same orders again, and submit the plan with the number that it names: it goes on there."
    )


def working_run(client: Client, ledger: Ledger, name: str) -> Run | None:
    """Return the run of that name that is at work in this process, if it is."""
    with _at_work.lock:
        theirs = (ledger.address, *account_key(client.account))
        return next((run for key, run in _at_work.by_key.items() if key[:-1] == theirs and run.name == name), None)


def _begin(key: _Key, client: Client, ledger: Ledger, open_run: Callable[[str], int]) -> Run:
    """Return the run that is at work here under `key`, or have the one begin that `open_run` gives to its new owner."""
    if (working := _at_work.by_key.get(key)) is not None:
        return working
    owner = ledger.run_control.new_owner(client.longest_request)
    return _at_work.begin(key, owner, lambda on_over: Run(open_run(owner.token), client, ledger, owner, on_over))


def _terms(workers: int | None, rate: float | None) -> RunTerms:
    """Return the terms that were asked for, checked; a number of workers that nobody has named is left open."""
    options = RunOptions(workers, rate)
    return RunTerms(options.workers, options.rate)


def require_switch(name: str, value: object) -> None:
    """Raise `InputError` for a switch that is neither True nor False: a text such as "no" sends nothing."""
    if not isinstance(value, bool):
        raise InputError(f"Nothing was sent: {name} is True, to send, or False, for a dry run, and not {value!r}.")


def require_number(name: str, value: object, least: int = 0) -> None:
    """Raise `InputError` for what is neither None nor a whole number from `least`."""
    if value is not None and not (is_whole(value) and value >= least):  # type: ignore[operator] # a number by now
        raise InputError(f"Nothing was sent: {name} is a whole number from {least}, or None, and not {value!r}.")


def require_tools(client: object, ledger: object) -> None:
    """Raise `InputError` for what is no client and no ledger, in this order."""
    if not (isinstance(client, Client) and isinstance(ledger, Ledger)):
        words = "submit_plan(plan, client, ledger), or resume(client, ledger)"
        raise InputError(f"A run needs a client and a ledger: {words}.")


def _require_agreement(plan: Plan, client: Client, confirm: int | None, *, sends: bool) -> None:
    """Raise where the plan creates another number of phones than confirmed, or is another account's."""
    if sends and confirm is None and plan.phones and not client.account.is_sandbox:
        raise InputError(
            f"Nothing was sent: this is a live account, and the plan creates {plural(plan.phones, 'phone')} that "
            f"cannot be deleted. Look at the plan; if it is right, submit it with confirm={plan.phones}."
        )
    if confirm is not None and (not is_whole(confirm) or plan.phones not in (0, confirm)):
        raise InputError(
            f"Nothing was sent: the plan creates {plural(plan.phones, 'phone')}, and {confirm!r} were confirmed. "
            f"Look at the plan; if it is right, submit it with confirm={plan.phones}."
        )
    if plan.account_key not in (None, account_key(client.account)):
        raise StalePlanError(
            f"Nothing was sent: the plan was made for another account or address ({plan.account_key[0]}, not "
            f"{client.account.base_url}). Make it again with this client. A sandbox that a notebook or script has "
            "opened ends with it; one for several is started by itnio-nb sandbox."
        )


def _require_remainder(left: Remainder, confirm: int) -> None:
    """Raise `InputError` where a run would send another number of phones than confirmed, or may send more."""
    if len(left.unknown):
        raise InputError(
            f"Nothing was sent: it is not known what became of {plural(len(left.unknown), 'group')}, so it is not "
            "known either how many phones are left. Settle what is unknown first: reconcile(client, ledger)."
        )
    if not is_whole(confirm) or confirm != left.phones:
        raise InputError(
            f"Nothing was sent: {plural(left.phones, 'phone')} are left to send, and {confirm!r} were confirmed. Look "
            f"at what is left; if it is right, confirm {left.phones}."
        )


def _require_current(plan: Plan, client: Client, ledger: Ledger) -> None:
    """Raise `StalePlanError`, with its `differences`, if a group needs another action now than the plan has."""
    fresh = make_plan(plan.orders, client, ledger, recreate=bool(plan.recreated))
    changes = list(_changes(plan, fresh))
    if not changes:
        return
    examples = [f"{name}: {then} → {now}{f' ({why})' if why else ''}" for _, _, name, then, now, why in changes[:3]]
    more = f"; and {len(changes) - 3:,} more (the error's .differences has all)" if len(changes) > 3 else ""
    groups = f"{len(changes):,} of its {plural(len(plan.groups), 'group')} need{'s' * (len(changes) == 1)}"
    raise StalePlanError(
        f"The saved plan is stale: {groups} something else now. {'; '.join(examples)}{more}. Nothing was sent. "
        "Plan again with make_plan(plan.orders, client, ledger), and confirm what it shows.",
        differences=pd.DataFrame(changes, columns=["row", "appId", "groupName", "planned", "now", "why"]),
    )


def _changes(plan: Plan, fresh: Plan) -> Iterator[tuple[int, str, str, str, str, str]]:
    """Yield `row appId groupName planned now why` of each group of a plan whose action in a fresh plan differs."""
    fresh_groups = {one.group: one for one in fresh.groups}
    for one in plan.groups:
        now = fresh_groups.get(one.group)
        if now is None:
            change = "invalid", "its row has an error now: see the findings of a new plan"
        elif now.action is not one.action:
            change = str(now.action), now.why
        elif now.recreated != one.recreated:
            change = "create anew", "sent again since"
        else:
            continue
        yield one.row, one.group.app_id, one.group.group_name, str(one.action), *change
