"""Submit a plan, or go on with what was left: one run for each plan, however often it is asked for."""

from __future__ import annotations

import atexit
import os
import threading

from itnio_nb.api.client import Client
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError, StalePlanError
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.orders.export import orders_to_json
from itnio_nb.runs.dispatcher import is_rate
from itnio_nb.runs.plan import Plan, account_key, fingerprint, groups_to_keep, require_current
from itnio_nb.runs.run import Run

_live: dict[tuple[str, ...], Run] = {}  # runs that work in this process, by ledger, account and fingerprint
_starting = threading.RLock()
DEFAULT_WORKERS = 8  # requests under way at once


def submit_plan(
    plan: Plan,
    client: Client,
    ledger: Ledger,
    *,
    workers: int = DEFAULT_WORKERS,
    rate: float | None = None,
    confirm: int | None = None,
) -> Run:
    """Send what a plan has to create, and return at once with the `Run` that works in the background.

        run = submit_plan(plan, client, ledger).wait()
        run.summary

    `workers` requests are under way at once, `rate` is the most requests in one second (None: no limit). A
    group that the ledger knows as made, being sent or in doubt is never sent. Submitting a plan whose run was
    stopped goes on with that run; while one of the same groups is at work here, that run is returned: a double
    click sends nothing twice. `confirm` is the number of phones that the plan was seen to create: where given,
    a plan that creates another number is not sent (`InputError`).

    Raises `StalePlanError` for a plan that was made for another account, or was saved and no longer fits;
    `LedgerError` where the intent cannot be written.
    """
    if not isinstance(plan, Plan):
        raise InputError("submit_plan sends a plan: submit_plan(make_plan(orders, client, ledger), client, ledger).")
    _require_tools(client, ledger, workers, rate)
    if confirm is not None and plan.phones not in (0, confirm):
        raise InputError(
            f"Nothing was sent: the plan creates {plural(plan.phones, 'phone')}, and {confirm!r} were confirmed. "
            f"Look at the plan; if it is right, submit it with confirm={plan.phones}."
        )
    account = client.account
    if plan.made_for is not None and plan.made_for != account_key(account):
        raise StalePlanError(
            f"Nothing was sent: the plan was made for another account or address ({plan.made_for[0]}, not "
            f"{account.base_url}). Make it again with this client. A sandbox that a notebook or script has opened "
            "ends with it; one for several is started by itnio-nb sandbox."
        )
    wanted = fingerprint(plan.table, account_key(account))
    key = (str(ledger.path), *account_key(account), wanted)
    if (working := _live.get(key)) is not None:  # a double click: nothing to pack, nobody to ask
        return working
    to_keep = (account, wanted, groups_to_keep(plan), orders_to_json(plan.orders, plan.findings))
    if plan.loaded and not ledger.run_store.has_unfinished(*to_keep):
        require_current(plan, client, ledger)
    ledger.run_store.expire_claims()
    with _starting:
        return _live.get(key) or _start(ledger.run_store.open_run(*to_keep), client, ledger, workers, rate)


def resume(
    client: Client, ledger: Ledger, *, run: str | None = None, workers: int = DEFAULT_WORKERS, rate: float | None = None
) -> Run:
    """Go on with the newest unfinished run of this account: settle what is unknown, send what was not sent.

        resume(client, ledger).wait().summary
        resume(client, ledger, run="20261123T203119Z")      # an older one, by its name in ledger.runs

    What a killed process had under way is looked up, never guessed. A run that is at work in this process is
    returned; one that is at work in another is joined. Where no run is unfinished, a finished, empty one is returned.
    Raises what `submit_plan` raises, and `InputError` for a `run` that is finished, or that there is not.
    """
    _require_tools(client, ledger, workers, rate)
    ledger.run_store.expire_claims()
    with _starting:
        unfinished = ledger.runs_of(client.account, unfinished=True)
        if run is not None and run not in unfinished:
            raise InputError(
                f"There is no unfinished run {run!r} of this account. Unfinished: {', '.join(unfinished) or 'none'}."
            )
        if not unfinished:
            return Run(None, client, ledger)
        name = run or next(iter(unfinished))
        return _start(unfinished[name], client, ledger, workers, rate)


def working_run(client: Client, ledger: Ledger, name: str) -> Run | None:
    """Return the run of that name that is at work in this process, if it is."""
    with _starting:
        theirs = (str(ledger.path), *account_key(client.account))
        return next((run for key, run in _live.items() if key[:-1] == theirs and run.name == name), None)


def _start(run_id: int, client: Client, ledger: Ledger, workers: int, rate: float | None) -> Run:
    """Return the run of that number that is at work here, or have one begin; `_starting` is held."""
    key = (
        str(ledger.path),
        *account_key(client.account),
        str(ledger.run_store.run_info(run_id, "fingerprint")["fingerprint"]),
    )
    working = _live.get(key)
    if working is None:
        client.widen(workers)
        working = _live[key] = Run(run_id, client, ledger, workers=workers, rate=rate, on_over=lambda: _forget(key))
    return working


def _forget(key: tuple[str, ...]) -> None:
    with _starting:
        _live.pop(key, None)


def _require_tools(client: object, ledger: object, workers: object, rate: object) -> None:
    if not (isinstance(client, Client) and isinstance(ledger, Ledger)):
        raise InputError(
            "A run needs a client and a ledger: submit_plan(plan, client, ledger), or resume(client, ledger)."
        )
    if not (isinstance(workers, int) and workers >= 1 and (rate is None or is_rate(rate))):
        raise InputError("A run needs at least 1 worker and, where a rate is given, more than 0 requests a second.")


def _after_fork() -> None:
    """Forget the parent's runs: their threads are not in the child, and what they hold is the parent's."""
    global _starting
    _live.clear()
    _starting = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _stop_all() -> None:
    """Let what is under way finish when Python ends, so that nothing is left in doubt."""
    with _starting:
        working = list(_live.values())
    for run in working:
        run.stop()
