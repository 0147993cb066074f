"""The hand-over file: accounts and passwords for those who configure the handsets, and nowhere else."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import API_COLUMNS, State
from itnio_nb.errors import ItnioError
from itnio_nb.orders.export.files import WrittenFiles, next_free_path
from itnio_nb.orders.models import RESULT_COLUMNS, SOURCE, Source
from itnio_nb.runs.credentials.groups import Groups, named_groups
from itnio_nb.runs.credentials.phone_files import Wanted, unwritable, write_phones

if TYPE_CHECKING:
    from itnio_nb.runs.run import RunRecord


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
    _raise_first(written)
    return path


def hand_over(
    client: Client, run: RunRecord, folder: str | os.PathLike[str], *, again: bool = False, one_table: bool = False
) -> WrittenFiles:
    """Write the phones of a run for those who configure the handsets, to one new file; return its path by application.

        hand_over(client, run, "results")

    The phones are those of the groups that the run, or an earlier one, has created: what `export_credentials` writes,
    and behind that the other columns of the orders, in their order. One application makes an XLSX file, several a ZIP
    with an XLSX file for each, or one table of all (`one_table`). Named after the run that has created the newest of
    them, it is written once: where it is there, nothing is written unless `again` asks for it, or phones in it have
    got new passwords since.

    Raises what `export_credentials` raises, of one application once all others are in the file.
    """
    table, folder = run.table, Path(folder).absolute()
    created = table[table["created_in"] != ""]
    if created.empty:
        return WrittenFiles({}, {}, "phone")
    wanted = _wanted(run, created)
    path = _path(folder, max(created["created_in"]), wanted, one_table=one_table)
    if not again and _is_complete(path, wanted) and not _is_outdated(path, run):
        return WrittenFiles(dict.fromkeys(wanted, path), _sizes(wanted), "phone", is_new=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    path, written = write_phones(client, wanted, next_free_path(path))
    _raise_first(written)
    rows = {app_id: number for app_id, number in written.items() if isinstance(number, int)}
    return WrittenFiles(dict.fromkeys(rows, path), rows, "phone")


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


def _is_complete(path: Path, wanted: dict[str, Wanted]) -> bool:
    """Tell whether a file is there that has all applications: one may have failed the last time."""
    if not path.is_file():
        return False
    if path.suffix != ".zip":
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return {one.file_name for one in wanted.values()} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _is_outdated(path: Path, run: RunRecord) -> bool:
    """Tell whether a phone of the run has got a new password, or may have, since a file was written."""
    resets = pd.to_datetime(run.resets["at"], utc=True, errors="coerce")
    return bool((resets >= datetime.fromtimestamp(path.stat().st_mtime, UTC)).any())


def _sizes(wanted: dict[str, Wanted]) -> dict[str, int]:
    return {app_id: sum(one.groups.values()) for app_id, one in wanted.items()}


def _raise_first(written: dict[str, int | ItnioError]) -> None:
    for one in written.values():
        if isinstance(one, ItnioError):
            raise one


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
        stem = re.sub(r"[^0-9A-Za-z-]", "_", app_id)
        stems[app_id] = stem if stem.casefold() not in map(str.casefold, stems.values()) else f"{stem}-{len(stems) + 1}"
    return stems
