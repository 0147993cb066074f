"""The hand-over file: accounts and passwords for those who configure the handsets, and nowhere else."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import API_COLUMNS, ResetState, State
from itnio_nb.api.text import plural
from itnio_nb.errors import ItnioError
from itnio_nb.orders.export.files import WrittenFiles, next_free_path
from itnio_nb.orders.models import RESULT_COLUMNS, SOURCE, Source
from itnio_nb.runs.credentials.groups import Groups, named_groups
from itnio_nb.runs.credentials.phone_files import (
    NOTHING,
    OnProgress,
    Wanted,
    Written,
    find_marked,
    unwritable,
    write_phones,
)

if TYPE_CHECKING:
    from itnio_nb.runs.run import RunRecord

_LONGEST_STEM = 80  # characters of a file's name that an application id makes


def export_credentials(client: Client, app_id: str, groups: Groups, path: str | os.PathLike[str]) -> Path:
    """Write account, password and display number of each phone of some groups to a new file; return its path.

        export_credentials(client, "4luaKsL2", run.table, "4luaKsL2-phones.xlsx")

    `groups` is `run.table`, for the groups of this application that this run or an earlier one has created; a ledger,
    for all that it knows as created in this account; or group names. Each phone of the account is one row: `groupName
    phoneName account password displayNum appId`.

    The name decides: `.xlsx` (all cells as text) or `.csv` (UTF-8). Only the file's owner can read it (mode 0600),
    nothing is ever overwritten, and nothing is written unless every group is there with all its phones: `InputError`.
    Raises what `list_phones` raises.
    """
    wanted = Wanted(named_groups(client, app_id, groups), f"{_stems([app_id])[app_id]}-phones.xlsx")
    path, written = write_phones(client, {app_id: wanted}, path)
    if isinstance(error := written[app_id], ItnioError):
        raise error
    return path


def hand_over(
    client: Client,
    run: RunRecord,
    folder: str | os.PathLike[str],
    *,
    again: bool = False,
    one_table: bool = False,
    on_progress: OnProgress | None = None,
) -> WrittenFiles:
    """Write the phones of a run for those who configure the handsets, to one new file; return its path by application.

        hand_over(client, run, "results")

    The phones are those of the groups that the run, or an earlier one, has created: what `export_credentials` writes,
    and behind that the other columns of the orders, in their order. One application makes an XLSX file, several a ZIP
    with an XLSX file for each, or one table of all (`one_table`). It is written once: where a file of these very groups
    is there, nothing is written unless `again` asks for it, or phones in it have got new passwords since.
    `on_progress(done, total)` is called, here, for each application once it is listed; without it a bar is shown.

    Raises what `export_credentials` raises, of one application once all others are in the file.
    """
    table, folder = run.table, Path(folder).absolute()
    created = table[table["created_in"] != ""]
    if created.empty:
        return WrittenFiles({}, {}, "phone")
    wanted = _wanted(run, created)
    path = _path(folder, max(created["created_in"]), wanted, one_table=one_table)
    marks = _Marks(client, wanted, run.ledger.reset_store.changes(run.number))
    if not again and (there := find_marked(path, marks.of(wanted))) is not None:
        return WrittenFiles(dict.fromkeys(wanted, there), _sizes(wanted), "phone", is_new=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    path, written = write_phones(client, wanted, next_free_path(path), marks.of, again=again, on_progress=on_progress)
    _require_all(written, path)
    rows = {app_id: number for app_id, number in written.items() if isinstance(number, int)}
    return WrittenFiles(dict.fromkeys(rows, path), rows, "phone")


def unknown_passwords(run: RunRecord) -> int:
    """Return of how many phones of a run it is not known which password works."""
    newest = run.ledger.reset_store.newest_of_run(run.number)
    theirs = newest.merge(run.table[["appId", "groupName"]], on=["appId", "groupName"])
    return int((theirs["state"] == ResetState.UNKNOWN).sum())


class _Marks:
    """Make the mark of a file: which groups of which account it has, and the last request that changed a password."""

    def __init__(self, client: Client, wanted: Mapping[str, Wanted], changes: pd.DataFrame) -> None:
        """Before anything is listed: a password that is changed meanwhile makes another mark the next time."""
        self._account, self._wanted = client.account, wanted
        self._changes = dict(
            zip(zip(changes["appId"], changes["groupName"], strict=True), changes["change"], strict=True)
        )

    def of(self, applications: Collection[str]) -> str:
        """Return the mark of a file with the groups of these applications."""
        groups = sorted((app_id, *one) for app_id in applications for one in self._wanted[app_id].groups.items())
        last = max((self._changes.get((app_id, name), 0) for app_id, name, _ in groups), default=0)
        contents = json.dumps([self._account.base_url, self._account.api_key, groups])
        return f"itnio-nb {sha256(contents.encode()).hexdigest()} {last}" if groups else ""


def _wanted(run: RunRecord, created: pd.DataFrame) -> dict[str, Wanted]:
    """Return what is handed over of each application, in the order of the orders."""
    orders, _ = run.orders
    source: Source = orders.attrs[SOURCE]
    pairs = zip(source.columns, source.headers, strict=True)
    own = {column: header for column, header in pairs if column not in (*API_COLUMNS, *RESULT_COLUMNS)}
    stems = _stems(created["appId"].unique().tolist())
    wanted = {}
    for app_id, theirs in created.groupby("appId", sort=False):
        names = theirs["groupName"].to_numpy()
        sizes = dict(zip(names.tolist(), theirs["quantity"].tolist(), strict=True))
        cells = orders.loc[theirs["row"], list(own)].set_axis(names, axis=0)
        wanted[str(app_id)] = Wanted(sizes, f"{stems[str(app_id)]}-phones.xlsx", cells, tuple(own.values()))
    return wanted


def _path(folder: Path, run: str, wanted: dict[str, Wanted], *, one_table: bool) -> Path:
    """Return the file in which these applications are handed over."""
    if len(wanted) == 1:
        (one,) = wanted.values()
        return folder / f"{run}-{one.file_name}"
    return folder / f"{run}-phones{'.xlsx' if one_table else '.zip'}"


def _sizes(wanted: dict[str, Wanted]) -> dict[str, int]:
    return {app_id: sum(one.groups.values()) for app_id, one in wanted.items()}


def _require_all(written: Written, path: Path) -> None:
    """Raise the first error of an application, and say where the phones of the others are."""
    errors = [one for one in written.values() if isinstance(one, ItnioError)]
    if not errors:
        return
    others = len(written) - len(errors)
    if not others:
        raise errors[0]
    words = str(errors[0]).removeprefix(f"{NOTHING} ")
    problem = f"Not all was handed over: {words} The phones of {plural(others, 'other application')} are in {path}."
    raise type(errors[0])(problem, status=errors[0].status)


def next_step(table: pd.DataFrame) -> str:
    """Return what to do after a run; "" where it created nothing."""
    if not table["state"].eq(State.CREATED).any():
        return ""
    return (
        'Next: hand the phones over, ws.hand_over(run, "results"): one file of accounts and passwords for those who '
        "configure the handsets."
    )


def _stems(applications: Sequence[str]) -> dict[str, str]:
    """Return for each application id what a file of it can be called: no two the same, whatever stands in them."""
    stems: dict[str, str] = {}
    for app_id in applications:
        stem = re.sub(r"[^0-9A-Za-z-]", "_", app_id)[:_LONGEST_STEM]
        taken = {one.casefold() for one in stems.values()}
        free = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
        stems[app_id] = next(name for name in free if name.casefold() not in taken)
    return stems
