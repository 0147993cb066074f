"""New passwords for the phones of some groups: planned, confirmed, sent at a pace, recorded, gone on with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import ResetState
from itnio_nb.api.text import listed, plural
from itnio_nb.errors import InputError, ServiceError
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.ledger.resets import ResetPhone, ResetRequest
from itnio_nb.runs.credentials.groups import Groups, named_groups
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
        run_id: int | None = None,
        engine: ResetEngine | None = None,
        *,
        headline: str = "",
        on_over: Callable[[], None] = lambda: None,
    ) -> None:
        """`headline` stands before the numbers of a run that sends nothing."""
        self._ledger, self._wanted, self._id, self._headline = ledger, wanted, run_id, headline
        self.name = "" if run_id is None else str(ledger.reset_store.run_info(run_id, "name")["name"])
        super().__init__(engine, self.name, on_over)

    @property
    def table(self) -> pd.DataFrame:
        """Every phone that was asked for, as in the ledger."""
        return self._ledger.reset_store.newest(self._wanted)

    @property
    def counts(self) -> Counter[str]:
        """Number of phones by state, over all that were asked for."""
        return Counter(self.table["state"])

    @property
    def summary(self) -> str:
        """What became of the phones, in one line."""
        return self._summary_of(self.table)

    def _summary_of(self, table: pd.DataFrame) -> str:
        states = Counter(table["state"])
        open_ones = states[ResetState.PLANNED] + states[ResetState.SENDING]
        word = "Running." if not self.done else "Stopped." if open_ones else "Done."
        parts = [f"{states[state]:,} {state}" for state in self.COUNTED]
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
    require_switch("apply", apply)
    require_switch("again", again)
    options = RunOptions(workers, rate)
    wanted = ResetRequest(client.account, app_id, _phones(client, app_id, groups))
    key = (str(ledger.path), client.account.base_url, client.account.api_key, app_id, wanted.fingerprint)
    with _at_work.lock:
        if key in _at_work.by_key:  # a double click
            return _at_work.by_key[key]
        run_id, to_send = _to_send(ledger, wanted, again=again)
        _require_agreement(client, confirm, to_send, wanted)
        if not apply or not to_send:
            return ResetRun(ledger, wanted, headline=_headline(to_send, wanted))
        return _begin(key, client, ledger, wanted, to_send, run_id, options)


def _begin(
    key: tuple[str, ...],
    client: Client,
    ledger: Ledger,
    wanted: ResetRequest,
    to_send: list[ResetPhone],
    run_id: int | None,
    options: RunOptions,
) -> ResetRun:
    """Have a run begin, or go on, under `key`."""
    owner = ledger.run_control.new_owner()

    def make(on_over: Callable[[], None]) -> ResetRun:
        number = ledger.reset_store.open_run(wanted, to_send, owner.token, run_id)
        if number is None:
            raise InputError(
                "Nothing was sent: another process resets phones of these groups now. Wait for it: ws.ledger.resets "
                "shows how far it is."
            )
        engine = ResetEngine(number, client, ledger, owner, options)
        return ResetRun(ledger, wanted, number, engine, on_over=on_over)

    return _at_work.begin(key, owner, make)


def _phones(client: Client, app_id: str, groups: Groups) -> list[ResetPhone]:
    """Return the phones that the groups have now; raise `InputError` where one is not there."""
    named = named_groups(client, app_id, groups)
    listing = client.list_phones(app_id, groups=named)
    if missing := [name for name in named if name not in set(listing["groupName"])]:
        raise InputError(
            f"Nothing was sent: application {app_id} has no group {listed(missing)}. Check the application id and the "
            "names, and look with client.list_phones."
        )
    columns = listing[["appId", "groupName", "phoneName", "account"]].drop_duplicates("account")
    if lacking := int(listing["account"].eq("").sum()):
        raise ServiceError(f"Nothing was sent: the server did not show the account of {plural(lacking, 'phone')}.")
    return [ResetPhone(*cells) for cells in columns.itertuples(index=False, name=None)]


def _to_send(ledger: Ledger, wanted: ResetRequest, *, again: bool) -> tuple[int | None, list[ResetPhone]]:
    """Return the unfinished run to go on with, None for a new one, and the phones that are to be reset."""
    run_id = ledger.reset_store.unfinished(wanted)
    table = ledger.reset_store.newest(wanted)
    if run_id is not None and again:  # all once more, unless that is what it was begun for
        name = ledger.reset_store.run_info(run_id, "name")["name"]
        run_id = run_id if table["run"].eq(name).all() else None
    left = table["state"].ne(ResetState.RESET) | (again and run_id is None)
    return run_id, [phone for phone, is_left in zip(wanted.phones, left, strict=True) if is_left]


def _require_agreement(client: Client, confirm: int | None, to_send: list[ResetPhone], wanted: ResetRequest) -> None:
    """Raise `InputError` where neither the number of all phones nor that of those that are left was confirmed."""
    size = len(to_send)
    phones = plural(size, "phone")
    if confirm is None and size and not client.account.is_sandbox:
        raise InputError(
            f"Nothing was sent: this is a live account, and {phones} would get new passwords: a handset that has the "
            f"old one cannot register any more. Look with apply=False; if it is right: confirm={size}."
        )
    if confirm is not None and (not is_whole(confirm) or (size and confirm not in (size, len(wanted.phones)))):
        raise InputError(
            f"Nothing was sent: {phones} would get new passwords, and {confirm!r} were confirmed. Look with "
            f"apply=False; if it is right: confirm={size}."
        )


def _headline(to_send: list[ResetPhone], wanted: ResetRequest) -> str:
    """Return what is said of a run that sends nothing."""
    before = len(wanted.phones) - len(to_send)
    if not to_send:
        return f"Nothing was sent: {plural(before, 'phone')} reset before. again=True resets them once more."
    return f"Dry run: nothing was sent. {plural(len(to_send), 'phone')} to reset, {before:,} reset before."
