"""New passwords for the phones of some groups: planned, confirmed, sent at a pace, recorded, gone on with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import ResetState
from itnio_nb.api.text import listed, plural
from itnio_nb.errors import InputError, ServiceError
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.ledger.resets import ResetPhone, ResetPlan, ResetRequest
from itnio_nb.runs.credentials.groups import MAY_HAVE_PHONES, Groups, known_table, named_groups
from itnio_nb.runs.credentials.reset_engine import GO_ON, ResetEngine
from itnio_nb.runs.results import show_html, show_text
from itnio_nb.runs.sending.background import AtWork, BackgroundWork
from itnio_nb.runs.sending.pace import RunOptions, is_whole
from itnio_nb.runs.submit import require_switch, require_tools

_SHOWN = ["groupName", "phoneName", "account", "state", "status", "reason", "advice"]


class ResetRun(BackgroundWork):
    """Phones that get new passwords, in background threads. It never prints, and shows itself in a cell.

    `table` has a row for each phone that was asked for, `appId groupName phoneName account state status reason advice
    at run`, with the newest of what the ledger has of it: `planned` (shown as "not sent"), `sending`, `reset`,
    `refused` or `unknown`. No password is in it: hand the phones over.
    """

    UNIT = "phone"
    COUNTED = (ResetState.RESET, ResetState.REFUSED, ResetState.UNKNOWN)
    GO_ON = GO_ON

    def __init__(
        self,
        ledger: Ledger,
        wanted: ResetRequest,
        to_send: Collection[str],
        run_id: int | None = None,
        engine: ResetEngine | None = None,
        *,
        headline: str = "",
        on_over: Callable[[], None] = lambda: None,
    ) -> None:
        """`to_send` are the accounts that it sends; `headline` stands before the numbers of one that sends nothing."""
        self._ledger, self._wanted, self._to_send, self._id = ledger, wanted, set(to_send), run_id
        self._headline = headline
        self.name = "" if run_id is None else str(ledger.reset_store.run_info(run_id, "name")["name"])
        super().__init__(engine, self.name, on_over)

    @property
    def table(self) -> pd.DataFrame:
        """Every phone that was asked for, as in the ledger; one that is still to be sent here is `planned`."""
        table = self._ledger.reset_store.newest(self._wanted)
        pending = table["account"].isin(self._pending) & table["state"].isin([ResetState.RESET, ResetState.REFUSED])
        table.loc[pending, ["state", "status", "reason", "advice", "at"]] = [str(ResetState.PLANNED), "", "", "", ""]
        return table

    @property
    def _pending(self) -> set[str]:
        """The accounts that are to be sent and were not yet: what earlier runs made of them is not the news."""
        if self._id is None:
            return self._to_send
        here = self._ledger.reset_store.run_table(self._id)
        return self._to_send & set(here["account"][here["state"] == ResetState.PLANNED])

    @property
    def counts(self) -> Counter[str]:
        """Number of phones by state, over all that were asked for."""
        if self._engine is not None and not self.done:
            left_alone = len(self._wanted.phones) - len(self._to_send)
            return self._engine.counts + Counter({str(ResetState.RESET): left_alone})
        return Counter(self.table["state"])

    @property
    def summary(self) -> str:
        """What became of the phones, in one line."""
        return self._summary_of(self.table)

    def _summary_of(self, table: pd.DataFrame) -> str:
        states = Counter(table["state"])
        open_ones = states[ResetState.PLANNED] + states[ResetState.SENDING]
        word = "Running." if not self.done else "Stopped." if open_ones else "Done."
        before = len(self._wanted.phones) - len(self._to_send)
        parts = [f"{states[ResetState.RESET]:,} reset{f' ({before:,} of them before)' if before else ''}"]
        parts += [f"{states[state]:,} {state}" for state in self.COUNTED[1:]]
        parts.append(f"{open_ones:,} {'not sent' if self.done else 'to go'}")
        note = "" if self._id is None else self._ledger.reset_store.run_info(self._id, "note")["note"]
        words = [self._headline or word, f"Phones: {', '.join(parts)}.", note, _todo(states) if self.done else ""]
        return " ".join(filter(None, words))

    def __repr__(self) -> str:
        table = self.table
        return show_text(self._summary_of(table), table[_SHOWN])

    def _repr_html_(self) -> str:
        table = self.table
        return show_html(self._summary_of(table), table[_SHOWN])


def _todo(states: Counter[str]) -> str:
    if number := states[ResetState.UNKNOWN]:
        return f"Which password works is not known of {plural(number, 'phone')}: reset the same phones again."
    return ""


_at_work = AtWork[ResetRun]()


def reset_passwords(
    client: Client,
    ledger: Ledger,
    app_id: str,
    groups: Groups,
    *,
    apply: bool = True,
    confirm: int | None = None,
    again: bool = False,
    workers: int | None = None,
    rate: float | None = None,
) -> ResetRun:
    """Give every phone of some groups a new password, and return at once with the run that works in the background.

        reset_passwords(client, ledger, "4luaKsL2", run.table, apply=False)         # what would be reset
        reset_passwords(client, ledger, "4luaKsL2", run.table, confirm=500).wait()

    `groups` is as for `export_credentials`; the phones that they have now are reset, one `sipReset` each. A live
    account needs `confirm`, the number of phones; `workers` and `rate` are those of `submit_plan`. The same words go on
    with what a stop or a kill has left: phones not sent, refused, or of unknown outcome. One that was reset is left
    alone, so that a cell that runs twice takes no password away that was handed over; `again=True` resets all once
    more. The ledger has no password: `export_credentials` reads them from the account.

    Raises `InputError` for groups that are not there, a number that was not confirmed, phones that another process
    resets now; and what `list_phones` and the ledger raise.
    """
    require_tools(client, ledger)
    pace = _checked(apply, again, workers, rate)
    phones, notes = _phones(client, app_id, groups)
    wanted = ResetRequest(client.account, app_id, phones)
    key = (ledger.address, client.account.base_url, client.account.api_key, app_id, wanted.fingerprint)
    with _at_work.lock:
        if key in _at_work.by_key:  # a double click
            return _at_work.by_key[key]
        plan = ledger.reset_store.plan(wanted, again=again)
        _require_agreement(client, confirm, plan, wanted, sends=apply)
        if not apply or not plan.to_send:
            headline = " ".join([_headline(plan, wanted), *notes])
            return ResetRun(ledger, wanted, plan.accounts, headline=headline)
        return _begin(key, client, ledger, wanted, plan, _Options(again, pace, notes))


def _checked(apply: bool, again: bool, workers: int | None, rate: float | None) -> RunOptions:
    """Raise `InputError` for switches that are none; return the pace."""
    require_switch("apply", apply)
    require_switch("again", again)
    return RunOptions(workers, rate)


class _Options(NamedTuple):
    """How a run of resets works, and what is to be said of what it was asked for."""

    again: bool
    pace: RunOptions
    notes: list[str]


def _begin(
    key: tuple[str, ...], client: Client, ledger: Ledger, wanted: ResetRequest, plan: ResetPlan, options: _Options
) -> ResetRun:
    """Have a run begin, or go on, under `key`."""
    owner = ledger.run_control.new_owner(client.longest_request)

    def make(on_over: Callable[[], None]) -> ResetRun:
        run_id = ledger.reset_store.open_run(wanted, plan, owner.token, again=options.again)
        if run_id is None:
            raise InputError(
                "Nothing was sent: another run resets, or has just reset, phones of these groups. Wait for it "
                "(ws.ledger.resets shows how far it is), then run the same line again."
            )
        engine = ResetEngine(run_id, plan.accounts, client, ledger, owner, options.pace, options.notes)
        return ResetRun(ledger, wanted, plan.accounts, run_id, engine, on_over=on_over)

    return _at_work.begin(key, owner, make)


def _phones(client: Client, app_id: str, groups: Groups) -> tuple[list[ResetPhone], list[str]]:
    """Return the phones that the groups have now, and what is to be said of groups that have fewer than ordered.

    Raises `InputError` where a group is not there, unless nobody knows whether it is: one that is created only perhaps.
    """
    groups = known_table(client, groups)
    named = named_groups(client, app_id, groups, MAY_HAVE_PHONES)
    certain = _certain(client, app_id, groups, named)
    listing = client.list_phones(app_id, groups=named)
    there = listing["groupName"].value_counts()
    if missing := [name for name in named if name in certain and name not in there]:
        raise InputError(
            f"Nothing was sent: application {app_id} has no group {listed(missing)}. Check the application id and the "
            "names, and look with client.list_phones."
        )
    if lacking := int(listing["account"].eq("").sum()):
        raise ServiceError(f"Nothing was sent: the server did not show the account of {plural(lacking, 'phone')}.")
    fewer = [
        f"{name} ({there.get(name, 0):,} of {size:,})" for name, size in named.items() if there.get(name, 0) < size
    ]
    notes = [f"Fewer phones than were ordered: {listed(fewer)}."] if fewer else []
    columns = listing[["appId", "groupName", "phoneName", "account"]].drop_duplicates("account")
    return [ResetPhone(*cells) for cells in columns.itertuples(index=False, name=None)], notes


def _certain(client: Client, app_id: str, groups: Groups, named: Mapping[str, int]) -> Collection[str]:
    """Return the groups that must be there: all that were named, of a table those that were created."""
    try:
        return named_groups(client, app_id, groups) if isinstance(groups, pd.DataFrame) else named
    except InputError:  # none of a table was created
        return ()


def _require_agreement(
    client: Client, confirm: int | None, plan: ResetPlan, wanted: ResetRequest, *, sends: bool
) -> None:
    """Raise `InputError` where another number of phones was confirmed.

    A run that is gone on with may be given the number that it was begun with, that of all phones.
    """
    size = len(plan.to_send)
    phones = plural(size, "phone")
    if confirm is None and sends and size and not client.account.is_sandbox:
        raise InputError(
            f"Nothing was sent: this is a live account, and {phones} would get new passwords: a handset that has the "
            f"old one cannot register any more. Look with apply=False; if it is right: confirm={size}."
        )
    agreed = {size, *([len(wanted.phones)] if plan.run_id is not None else [])}
    if confirm is not None and (not is_whole(confirm) or (size and confirm not in agreed)):
        raise InputError(
            f"Nothing was sent: {phones} would get new passwords, and {confirm!r} were confirmed. Look with "
            f"apply=False; if it is right: confirm={size}."
        )


def _headline(plan: ResetPlan, wanted: ResetRequest) -> str:
    """Return what is said of a run that sends nothing."""
    before = len(wanted.phones) - len(plan.to_send)
    if not plan.to_send:
        return f"Nothing was sent: {plural(before, 'phone')} reset before. again=True resets them once more."
    return f"Dry run: nothing was sent. {plural(len(plan.to_send), 'phone')} to reset, {before:,} reset before."
