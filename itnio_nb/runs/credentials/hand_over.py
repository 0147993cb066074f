"""The hand-over file: accounts and passwords for those who configure the handsets, and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from itnio_nb.api.account.secret import private_frames
from itnio_nb.api.client import Client
from itnio_nb.api.models import State
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError, ItnioError, ServiceError, os_error_reason
from itnio_nb.orders.export.files import WrittenFiles, next_free_path
from itnio_nb.orders.export.formulas import escape_formula
from itnio_nb.orders.export.tables import as_csv, as_xlsx
from itnio_nb.runs.credentials.groups import Groups, created_groups, named_groups

if TYPE_CHECKING:
    from itnio_nb.runs.run import RunRecord

_EXACT = ("account", "password")  # typed into a handset as they are: not one character may be added


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
    path, _ = _export(client, app_id, named_groups(client, app_id, groups), path)
    return path


def hand_over(client: Client, run: RunRecord, folder: str | os.PathLike[str]) -> WrittenFiles:
    """Write one hand-over file for each application of a run into a folder; return their paths by application.

        hand_over(client, run, "results")

    They are named `<run>-<application>-phones.xlsx`, and hold what `export_credentials` writes of the groups that the
    run or an earlier one has created. Raises what it raises, too, once the files of all other applications are there.
    """
    table, folder = run.table, Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None
    paths, phones, errors = {}, {}, list[ItnioError]()
    for app_id, stem in file_stems(table["appId"][table["created_in"] != ""].unique().tolist()).items():
        path = next_free_path(folder / f"{run.name}-{stem}-phones.xlsx")
        try:
            paths[app_id], phones[app_id] = _export(client, app_id, created_groups(app_id, table), path)
        except ItnioError as error:  # it keeps no other application from being handed over
            errors.append(error)
    if errors:
        raise errors[0]
    return WrittenFiles(paths, phones, "phone")


def _export(client: Client, app_id: str, wanted: dict[str, int], path: str | os.PathLike[str]) -> tuple[Path, int]:
    """Write the phones of the wanted groups to a new file; return its path and how many they are."""
    path, handle = _new_file(path)
    try:
        written = _fill(handle, path, client, app_id, wanted)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if isinstance(written, ItnioError):  # raised here, where a traceback that shows variables shows no password
        path.unlink(missing_ok=True)
        raise written
    return path, written


@private_frames
def _fill(handle: int, path: Path, client: Client, app_id: str, wanted: dict[str, int]) -> int | ItnioError:
    """Write the phones of the wanted groups and return how many they are, or why that cannot be done."""
    as_text = path.suffix.lower() == ".csv"
    with open(handle, "wb") as file:
        phones = client.list_phones(app_id, reveal=True, groups=wanted)
        problem = _lacking(app_id, wanted, phones) or (_formulas(phones) if as_text else None)
        if problem is not None:
            return problem
        try:
            file.write(as_csv(phones) if as_text else as_xlsx(phones, "Phones"))
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            return _unwritable(path, error)
    return len(phones)


def _lacking(app_id: str, wanted: dict[str, int], phones: pd.DataFrame) -> ItnioError | None:
    """Return the error of a hand-over that would lack a phone or a password, None where none is lacking."""
    there = phones.groupby("groupName").size()
    short = [
        f"{name!r} ({f'{there[name]:,} of {size:,}' if name in there else 'not there'})"
        for name, size in wanted.items()
        if there.get(name, 0) < size
    ]
    if short:
        more = f" and {len(short) - 5:,} more" if len(short) > 5 else ""
        return InputError(
            f"Nothing was written: in application {app_id} {plural(len(short), 'group')} "
            f"{'lacks' if len(short) == 1 else 'lack'} phones: {', '.join(short[:5])}{more}. Check the application id, "
            "and look with client.list_phones; to hand over what is there, give the names of the groups that are whole."
        )
    empty = int((phones[list(_EXACT)] == "").any(axis=1).sum())
    if empty:
        return ServiceError(
            f"Nothing was written: the server did not show account and password of {plural(empty, 'phone')}. Try again."
        )
    return None


def _formulas(phones: pd.DataFrame) -> ItnioError | None:
    """Return the error of a CSV file in which an account or password would run, None where none would."""
    exact = phones[list(_EXACT)]
    changed = int((exact.map(escape_formula) != exact).any(axis=1).sum())
    if not changed:
        return None
    return InputError(
        f"Nothing was written: account or password of {plural(changed, 'phone')} would run as a formula in a "
        "spreadsheet. Choose a name that ends in .xlsx: there all cells are text."
    )


def _new_file(path: str | os.PathLike[str]) -> tuple[Path, int]:
    """Make an empty file that was not there before and that its owner alone can read; return it opened."""
    try:
        path = Path(path)
        if path.suffix.lower() not in (".csv", ".xlsx"):
            raise InputError(f"The hand-over file is a table: name it .xlsx or .csv, not {path.name!r}.")
        return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError(
            f"{path} exists already, and a hand-over file is never overwritten: choose another name."
        ) from None
    except (OSError, TypeError, ValueError) as error:  # a path can be wrong in many ways
        raise _unwritable(path, error) from None


def _unwritable(path: object, error: Exception) -> InputError:
    return InputError(
        f"The hand-over file cannot be written to {path} ({os_error_reason(error)}): choose another name or folder."
    )


def next_step(table: pd.DataFrame) -> str:
    """Return what to do after a run; "" where it created nothing."""
    if not table["state"].eq(State.CREATED).any():
        return ""
    return (
        'Next: hand the phones over, ws.hand_over(run, "results"): accounts and passwords for those who configure the '
        "handsets, a file for each application."
    )


def file_stems(applications: Sequence[str]) -> dict[str, str]:
    """Return for each application id what a file of it can be called: no two the same, whatever stands in them."""
    stems: dict[str, str] = {}
    for app_id in applications:
        stem = re.sub(r"[^0-9A-Za-z-]", "_", app_id)
        stems[app_id] = stem if stem not in stems.values() else f"{stem}-{len(stems) + 1}"
    return stems
