"""The hand-over: accounts and passwords in one file for those who configure the handsets, and nowhere else."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from itnio_nb.client import LISTING_COLUMNS, Client
from itnio_nb.errors import InputError, ServiceError
from itnio_nb.model import PhoneGroup, State, count
from itnio_nb.read import guard_formula

_EXACT = ("account", "password")  # typed into a handset as they are: not one character may be added


def export_credentials(
    client: Client, app_id: str, groups: pd.DataFrame | Iterable[str | PhoneGroup], path: str | os.PathLike[str]
) -> Path:
    """Write account, password and display number of each phone of some groups to a new file; return its path.

        export_credentials(client, "4luaKsL2", run.table, "4luaKsL2-phones.xlsx")

    `groups` is a table such as `run.table` or `ledger.table`, of which the groups `created` in this
    application are taken, by this run or an earlier one of the same ledger (all of a table that has no
    `state`), or any number of group names. The phones are
    read from the account; each is one row: `groupName phoneName account password displayNum appId`.

    The name decides: `.xlsx` (all cells as text, whatever opens it) or `.csv` (UTF-8). Only the file's owner
    can read it (mode 0600), nothing is ever overwritten, and nothing is written unless every group is there
    with all its phones. Raises `InputError` otherwise, and what `list_phones` raises.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".xlsx"):
        raise InputError(f"The hand-over file is a table: name it .xlsx or .csv, not {path.name}.")
    if path.exists() or path.is_symlink():
        raise _taken(path)
    wanted = _wanted(app_id, groups)
    listed = client.list_phones(app_id, reveal=True)
    phones = listed[listed["groupName"].isin(wanted)][list(LISTING_COLUMNS)]
    _require_all(app_id, wanted, phones)
    contents = _xlsx(phones) if path.suffix.lower() == ".xlsx" else _csv(phones)
    _write_new(path, contents)
    return path


def _wanted(app_id: str, groups: pd.DataFrame | Iterable[str | PhoneGroup]) -> dict[str, int]:
    """Return the groups by name, each with the phones that it must have at least."""
    if isinstance(groups, pd.DataFrame):
        return _created(app_id, groups)
    if isinstance(groups, str | PhoneGroup):
        groups = [groups]
    if not isinstance(groups, Iterable):
        raise InputError("The groups to hand over are a table or group names: give run.table.")
    wanted: dict[str, int] = {}
    for group in groups:
        if isinstance(group, PhoneGroup):
            wanted[group.group_name] = group.quantity
        else:
            wanted[str(group)] = 1
    if not wanted:
        raise InputError("No group was named to be handed over: give run.table, or group names.")
    return wanted


def _created(app_id: str, table: pd.DataFrame) -> dict[str, int]:
    if "groupName" not in table.columns:
        raise InputError("The table of groups has no column groupName: give run.table, or group names.")
    chosen = table
    if "appId" in table.columns:
        chosen = chosen[chosen["appId"] == app_id]
    if "state" in table.columns:
        earlier = chosen["created_in"] != "" if "created_in" in chosen.columns else False
        chosen = chosen[(chosen["state"] == State.CREATED) | earlier]
    if chosen.empty:
        raise InputError(
            f"No group of application {app_id} was created here, so there is nothing to hand over: "
            "for groups that existed before, give their names."
        )
    sizes = chosen["quantity"].astype("int64") if "quantity" in chosen.columns else pd.Series(1, index=chosen.index)
    return dict(zip(chosen["groupName"].astype(str), sizes.tolist(), strict=True))


def _require_all(app_id: str, wanted: dict[str, int], phones: pd.DataFrame) -> None:
    """Refuse a hand-over that would lack a phone or a password."""
    there = phones.groupby("groupName").size()
    short = [
        f"{name} ({f'{there[name]:,} of {size:,}' if name in there else 'not there'})"
        for name, size in wanted.items()
        if there.get(name, 0) < size
    ]
    if short:
        more = f" and {len(short) - 5:,} more" if len(short) > 5 else ""
        raise InputError(
            f"Nothing was written: in application {app_id} {count(len(short), 'group')} "
            f"{'lacks' if len(short) == 1 else 'lack'} phones: {', '.join(short[:5])}{more}. Check the application id, "
            "and look with client.list_phones; to hand over what is there, give the names of the groups that are whole."
        )
    empty = int((phones[list(_EXACT)] == "").any(axis=1).sum())
    if empty:
        raise ServiceError(
            f"Nothing was written: the server did not show account and password of {count(empty, 'phone')}. Try again."
        )


def _csv(phones: pd.DataFrame) -> bytes:
    guarded = phones.map(guard_formula)
    changed = int((guarded[list(_EXACT)] != phones[list(_EXACT)]).any(axis=1).sum())
    if changed:
        raise InputError(
            f"Nothing was written: account or password of {count(changed, 'phone')} begins like a formula, which a "
            "spreadsheet would run. Choose a name that ends in .xlsx: there all cells are text."
        )
    text = guarded.to_csv(index=False, quoting=csv.QUOTE_ALL)
    return text.encode("utf-8-sig", "backslashreplace")


def _xlsx(phones: pd.DataFrame) -> bytes:
    import xlsxwriter

    whole = io.BytesIO()
    # In memory: xlsxwriter would put the passwords into temporary files. No cell becomes a formula or a link.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(whole, options) as book:
        sheet = book.add_worksheet("Phones")
        text = book.add_format({"num_format": "@"})
        bold = book.add_format({"bold": True})
        sheet.set_column(0, len(phones.columns) - 1, 20, text)
        sheet.write_row(0, 0, phones.columns, bold)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, len(phones), len(phones.columns) - 1)
        for row, cells in enumerate(phones.itertuples(index=False, name=None), 1):
            for column, cell in enumerate(cells):
                sheet.write_string(row, column, cell.encode("utf-8", "backslashreplace").decode(), text)
    return whole.getvalue()


def _write_new(path: Path, contents: bytes) -> None:
    """Write a file that its owner alone can read and that was not there before; half a file does not stay."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor, for its mode
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _unwritable(path, error) from None


def _taken(path: Path) -> InputError:
    return InputError(f"{path} exists already, and a hand-over file is never overwritten: choose another name.")


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"The hand-over file cannot be written to {path} ({error.strerror}): choose another folder.")
