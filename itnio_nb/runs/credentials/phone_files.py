"""The file with the phones of some groups: listed in parallel, checked, written whole for its owner alone, or not."""

from __future__ import annotations

import io
import os
import re
import secrets
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from glob import escape
from itertools import count
from pathlib import Path
from threading import Event
from typing import NamedTuple

import pandas as pd

from itnio_nb.api.account.secret import private_frames
from itnio_nb.api.client import Client
from itnio_nb.api.listing.parallel import for_each
from itnio_nb.api.listing.reader import LISTING_COLUMNS
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError, ItnioError, ServiceError, os_error_reason
from itnio_nb.orders.export.formulas import escape_formula
from itnio_nb.orders.export.tables import as_csv, as_xlsx
from itnio_nb.runs.sending.background import progress_bar

_EXACT = ["account", "password"]  # typed into a handset as they are: not one character may be added
_KINDS = (".csv", ".xlsx", ".zip")
NOTHING = "Nothing was written:"


class Wanted(NamedTuple):
    """What of one application is handed over."""

    groups: Mapping[str, int]  # the phones that each group, by name, must have at least; rows come in this order
    file_name: str = ""  # inside a zip
    own: pd.DataFrame | None = None  # the colleague's own columns, a row for each group, by its name
    headers: tuple[str, ...] = ()  # of those columns


OnProgress = Callable[[int, int], None]  # how many applications are listed, of how many
Written = dict[str, int | ItnioError]  # by application, how many phones are in the file, or why they are not


def write_phones(
    client: Client,
    wanted: Mapping[str, Wanted],
    path: str | os.PathLike[str],
    mark_of: Callable[[Collection[str]], str] = lambda _: "",
    *,
    again: bool = False,
    on_progress: OnProgress | None = None,
) -> tuple[Path, Written]:
    """Write the phones of the wanted groups, by application, to a new file.

    Return its path and what is in it. The name decides: `.csv` and `.xlsx` are one table, `.zip` has an XLSX file for
    each application. `mark_of` returns a text to keep in the file for `find_marked`, of the applications in it. A file
    is there once it is whole; none is written without an application, or where one of that mark is there already,
    unless it is wanted `again`. Without `on_progress` a bar is shown.
    """
    path = _require_free(path)
    unfinished, handle = _open_beside(path)
    try:
        written = _fill(handle, path, client, wanted, mark_of, on_progress)
        if isinstance(written, ItnioError):  # raised here, where a traceback that shows variables shows no password
            raise written
        good = [app_id for app_id, one in written.items() if not isinstance(one, ItnioError)]
        if good and not again and (there := find_marked(path, mark_of(good))) is not None:
            path = there
        elif good:
            _publish(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path, written


def find_marked(path: Path, mark: str) -> Path | None:
    """Return a file beside `path`, named like it, that has this mark, None where there is none."""
    if not mark:
        return None
    stem = re.sub(r"-\d+$", "", path.stem) if not path.stem.endswith("phones") else path.stem
    alike = path.parent.glob(f"{escape(stem)}*{escape(path.suffix)}")
    marked = [found for found in alike if _mark_in(found) == mark]
    return max(marked, key=lambda found: found.stat().st_mtime, default=None)


def _mark_in(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            if path.suffix == ".zip":
                return archive.comment.decode()
            core = archive.read("docProps/core.xml").decode()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return ""
    return "".join(re.findall("<dc:description>(.*?)</dc:description>", core))


@private_frames
def _fill(
    handle: int,
    path: Path,
    client: Client,
    wanted: Mapping[str, Wanted],
    mark_of: Callable[[Collection[str]], str],
    on_progress: OnProgress | None,
) -> Written | ItnioError:
    ending = path.suffix.lower()
    with open(handle, "wb") as file:
        archive = _Archive(wanted) if ending == ".zip" else None
        listed = _list_all(client, wanted, archive, on_progress)
        good = {app_id: one for app_id, one in listed.items() if isinstance(one, pd.DataFrame)}
        if ending == ".csv" and (problem := _formulas(good)) is not None:
            return problem
        mark = mark_of(list(good))
        try:
            file.write(archive.contents(mark) if archive is not None else _one_table(ending, good, mark))
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            return unwritable(path, error)
    return {app_id: one if isinstance(one, ItnioError) else len(one) for app_id, one in listed.items()}


class _Archive:
    """A ZIP in memory, with an XLSX file for each application, in the order of the applications."""

    def __init__(self, wanted: Mapping[str, Wanted]) -> None:
        self._wanted = wanted
        self._files: dict[str, bytes] = {}

    def add(self, app_id: str, table: pd.DataFrame) -> None:
        """Make the file of an application."""
        self._files[app_id] = as_xlsx(table, "Phones")

    def contents(self, mark: str) -> bytes:
        """Return the ZIP, with a comment."""
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.comment = mark.encode()
            for app_id in filter(self._files.__contains__, self._wanted):
                entry = zipfile.ZipInfo(self._wanted[app_id].file_name)
                entry.external_attr = 0o600 << 16  # whoever unpacks it is the only one who can read it, too
                archive.writestr(entry, self._files[app_id])
        return data.getvalue()


def _list_all(
    client: Client, wanted: Mapping[str, Wanted], archive: _Archive | None, on_progress: OnProgress | None
) -> dict[str, pd.DataFrame | ItnioError]:
    """Return the phones of each application, or why they cannot be handed over; all are read in parallel.

    The file of one is made while others are waited for.
    """
    stopping = Event()

    @private_frames  # an error of one application is kept, and raised once the others are written
    def read(app_id: str) -> pd.DataFrame:
        phones = client.list_phones(app_id, reveal=True, groups=wanted[app_id].groups, stopping=stopping)
        if (problem := _lacking(app_id, wanted[app_id].groups, phones)) is not None:
            raise problem
        return _with_own_columns(phones, wanted[app_id])

    with nullcontext(on_progress) if on_progress is not None else _bar(len(wanted)) as tell:
        listed = count(1)

        def take(app_id: str, table: pd.DataFrame | ItnioError) -> None:
            if archive is not None and isinstance(table, pd.DataFrame):
                archive.add(app_id, table)
            tell(next(listed), len(wanted))

        # Twice as many as requests at once: while the answers of some are looked at, others are asked for.
        return for_each(wanted, read, stopping, 2 * client.workers, take)


@contextmanager
def _bar(total: int) -> Iterator[OnProgress]:
    """Show a bar over the applications, while the context lasts; return what moves it."""
    with progress_bar(total, 0, "application") as bar:
        bar.set_description("Hand over", refresh=False)

        def tell(done: int, _: int) -> None:
            bar.n = done
            bar.set_postfix({})  # which shows it

        yield tell


def _with_own_columns(phones: pd.DataFrame, wanted: Wanted) -> pd.DataFrame:
    """Return the phones in the order of the orders, with the colleague's own columns behind ours."""
    order = {name: at for at, name in enumerate(wanted.groups)}
    phones = phones.iloc[phones["groupName"].map(order).argsort(kind="stable")].reset_index(drop=True)
    if wanted.own is None:
        return phones
    theirs = wanted.own.loc[phones["groupName"]].reset_index(drop=True)
    taken = {name.casefold() for name in LISTING_COLUMNS}
    headers = [f"{name} (orders)" if name.strip().casefold() in taken else name for name in wanted.headers]
    return pd.concat([phones, theirs.set_axis(headers, axis=1)], axis=1)


def _one_table(ending: str, phones: Mapping[str, pd.DataFrame], mark: str) -> bytes:
    tables = list(phones.values()) or [pd.DataFrame(columns=list(LISTING_COLUMNS))]
    table = pd.concat(tables, ignore_index=True).fillna("") if len(tables) > 1 else tables[0]
    return as_csv(table) if ending == ".csv" else as_xlsx(table, "Phones", mark)


def _lacking(app_id: str, wanted: Mapping[str, int], phones: pd.DataFrame) -> ItnioError | None:
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
            f"{NOTHING} in application {app_id} {plural(len(short), 'group')} "
            f"{'lacks' if len(short) == 1 else 'lack'} phones: {', '.join(short[:5])}{more}. Check the application id, "
            "and look with client.list_phones; to hand over what is there, give the names of the groups that are whole."
        )
    empty = int((phones[_EXACT] == "").any(axis=1).sum())
    if empty:
        return ServiceError(
            f"{NOTHING} the server did not show account and password of {plural(empty, 'phone')}. Try again."
        )
    return None


def _formulas(phones: Mapping[str, pd.DataFrame]) -> ItnioError | None:
    """Return the error of a CSV file in which an account or password would run, None where none would."""
    changed = 0
    for table in phones.values():
        exact = table[_EXACT]
        changed += int((exact.map(escape_formula) != exact).any(axis=1).sum())
    if not changed:
        return None
    return InputError(
        f"{NOTHING} account or password of {plural(changed, 'phone')} would run as a formula in a "
        "spreadsheet. Choose a name that ends in .xlsx: there all cells are text."
    )


def _require_free(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that can be a hand-over file and is not there yet; raise `InputError` for any other."""
    try:
        path = Path(path)
        if path.suffix.lower() not in _KINDS:
            raise InputError(f"The hand-over file is a table: name it .xlsx or .csv, not {path.name!r}.")
        path.lstat()
    except FileNotFoundError:
        return Path(path)
    except (OSError, TypeError, ValueError) as error:  # a path can be wrong in many ways
        raise unwritable(path, error) from None
    raise _taken(path)


def _open_beside(path: Path) -> tuple[Path, int]:
    """Make an empty file in the folder of `path` that its owner alone can read; return it opened."""
    unfinished = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        return unfinished, os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from None


def _publish(unfinished: Path, path: Path) -> None:
    """Give a whole file its name, unless somebody else has taken that meanwhile."""
    try:
        os.link(unfinished, path)
    except FileExistsError:
        raise _taken(path) from None
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise _taken(path) from None
        unfinished.rename(path)


def _taken(path: Path) -> InputError:
    return InputError(f"{path} exists already, and a hand-over file is never overwritten: choose another name.")


def unwritable(path: object, error: Exception) -> InputError:
    """Return the error of a hand-over file that cannot be written."""
    return InputError(
        f"The hand-over file cannot be written to {path} ({os_error_reason(error)}): choose another name or folder."
    )
