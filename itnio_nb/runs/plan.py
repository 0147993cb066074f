"""Plans: orders as groups, each compared with the ledger and the account; what will be sent, before it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import IO, Any

import pandas as pd

from itnio_nb.api.account.account import Account
from itnio_nb.api.client import Client
from itnio_nb.api.listing.inventory import Inventory
from itnio_nb.api.models import API_COLUMNS, LIMITS, Action, PhoneGroup, phone_groups
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.ledger.ledger import Ledger, LedgerEntry
from itnio_nb.orders.check import check_orders, invalid_rows
from itnio_nb.orders.export.files import write_atomically
from itnio_nb.orders.export.stored import are_whole, orders_from_json, orders_to_json, require_texts
from itnio_nb.orders.models import split_orders
from itnio_nb.orders.read import read_orders
from itnio_nb.runs.reconcile.actions import PlannedGroup, decide, list_applications
from itnio_nb.runs.results import GONE, show_html, show_text

_EMPTY = Inventory({})
_FORMAT, _VERSION = "itnio-nb plan", 1
_LARGEST = 1 << 30  # bytes of a plan file
_HEAD = json.dumps({"format": _FORMAT})[:-1].encode()  # how a plan file begins


@dataclass(frozen=True, eq=False)
class Plan:
    """The groups in order, each with the action it needs. Nothing was sent.

    It shows itself in a cell: its summary line, the findings that keep rows out of it, and its groups.
    """

    orders: pd.DataFrame  # as `read_orders` gave them
    findings: pd.DataFrame  # as `check_orders` gave them, and what account and ledger add
    groups: tuple[PlannedGroup, ...]
    account_key: tuple[str, str] | None  # base address and API key; None for a plan made without a client
    loaded: bool = False  # from a file: compared with account and ledger anew before it is submitted
    rest: tuple[PlannedGroup, ...] = ()  # of a trial: the groups of its orders that it leaves alone

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each group: API columns, `action row why`."""
        return _table_of(self.groups)

    @cached_property
    def whole_table(self) -> pd.DataFrame:
        """As `table`, with the groups that a trial leaves alone behind."""
        return _table_of([*self.groups, *self.rest])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the groups' wire fields in order and of the account: no actions, no time."""
        return fingerprint((one.group for one in self.groups), self.account_key)

    @property
    def summary(self) -> str:
        """As in `Plan: 12 groups to create (340 phones), 3 already exist, 2 rows invalid, 1 in doubt.`."""
        create, exist, doubt, sending = (sum(one.action is action for one in self.groups) for action in Action)
        invalid = len(invalid_rows(self.findings))
        return (
            f"Plan: {plural(create, 'group')} to create ({plural(self.phones, 'phone')}), "
            f"{exist:,} already exist{'s' * (exist == 1)}, {plural(invalid, 'row')} invalid, {doubt:,} in doubt"
            f"{f', {sending:,} being sent' if sending else ''}."
        )

    @property
    def phones(self) -> int:
        """How many phones it creates: the number to be confirmed."""
        return sum(one.group.quantity for one in self.groups if one.action is Action.CREATE)

    @property
    def left_out(self) -> int:
        """How many rows of the orders are not, or not wholly, in it: they have an error, or a trial leaves them."""
        whole = {one.row for one in self.groups} - {one.row for one in self.rest}
        return len(self.orders) - len(whole)

    @property
    def recreated(self) -> dict[tuple[str, str], int]:
        """The groups to be created again, by (appId, groupName): the receipt of the first creation of each."""
        return {_key(one.group): one.recreated for one in self.groups if one.recreated is not None}

    def first(self, n: int) -> Plan:
        """Return a plan of the first `n` groups that are to be created: a trial, before the rest.

            submit_plan(plan.first(3), client, ledger).wait()

        An order of 130 phones is three groups. The orders stay whole: results list the others as not sent. What it
        creates makes a saved plan of the whole stale: plan again.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise InputError(f"A trial has a whole number of groups from 1, as in plan.first(3), not {n!r}.")
        chosen = tuple(one for one in self.groups if one.action is Action.CREATE)[:n]
        left = set(self.groups).difference(chosen)
        return replace(self, groups=chosen, rest=(*(one for one in self.groups if one in left), *self.rest))

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the plan to a file, to be reviewed or submitted by somebody else; return its path.

            plan.save("plan.json")
            submit_plan(Plan.load("plan.json"), client, ledger)     # in another process, on another day

        JSON, without any secret; an earlier plan of that name is replaced, any other file is not (`InputError`).
        """
        contents: dict[str, Any] = {"format": _FORMAT, "version": _VERSION, "account": self.account_key}
        contents |= {"fingerprint": self.fingerprint, "groups": self.table.to_dict("split", index=False)}
        contents["rest"] = _table_of(self.rest).to_numpy().tolist()
        contents["again"] = [[*key, receipt] for key, receipt in self.recreated.items()]
        contents["orders"] = orders_to_json(self.orders, self.findings)
        contents["checksum"] = _checksum(contents)
        try:
            path = Path(path)
            if path.exists() and not _is_plan_file(path):
                raise InputError(f"{path} exists and is not a saved plan: choose another name, such as plan.json.")
            write_atomically(path, json.dumps(contents).encode("ascii"))
        except (OSError, TypeError, ValueError) as error:  # a path can be wrong in many ways
            why = os_error_reason(error)
            raise InputError(f"The plan cannot be written to {path!s} ({why}): choose another path.") from None
        return path

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Plan:
        """Read a plan that `save` wrote. `submit_plan` refuses it if it has become stale since.

        Raises `InputError` for a file that is no saved plan, or was changed or damaged.
        """
        contents = _read_plan_file(path)
        try:
            again = {(app_id, name): int(receipt) for app_id, name, receipt in contents["again"]}
            groups = tuple(_planned_group(cells, again) for cells in contents["groups"]["data"])
            account = _account_of(contents["account"])
            rest = tuple(_planned_group(cells, {}) for cells in contents.get("rest", ()))
            plan = cls(*orders_from_json(contents["orders"]), groups, account, loaded=True, rest=rest)
            is_whole = contents.pop("checksum", None) in (None, _checksum(contents))  # none before there were any
            agrees = contents["groups"]["columns"] == [*plan.table.columns] and _is_of_its_orders(plan)
            if not (is_whole and agrees and plan.fingerprint == contents["fingerprint"]):
                raise _damaged(path)
        except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
            raise _damaged(path) from None
        return plan

    def __repr__(self) -> str:
        return show_text(self.summary, self._problems, self.table, end=self._repairs)

    def _repr_html_(self) -> str:
        return show_html(self.summary, self._problems, self.table, end=self._repairs)

    @property
    def _problems(self) -> pd.DataFrame:
        """Errors, then warnings."""
        problems = self.findings[self.findings["severity"] != "repaired"]
        return problems.sort_values("severity", kind="stable")

    @property
    def _repairs(self) -> str:
        """How many cells were read otherwise than they stand in the file; they can be looked at elsewhere."""
        made = int((self.findings["severity"] == "repaired").sum())
        return f"{plural(made, 'repair')} made while reading: plan.findings has them." if made else ""


def make_plan(
    orders: pd.DataFrame | str | PathLike[str] | bytes | IO[bytes],
    client: Client | None = None,
    ledger: Ledger | None = None,
    *,
    recreate: bool = False,
) -> Plan:
    """Turn orders into groups of at most 50 phones, each with the action it needs; nothing is sent.

        plan = make_plan(read_orders("phones.xlsx"), client, ledger)
        plan.summary

    Actions: `create`; `exists` (the account has the group); `in doubt` (the ledger does not know what became of it, or
    it was made once and is gone: `recreate=True` makes the latter again); `being sent` (by a run at work). Without a
    client neither account nor ledger is asked. Rows with errors are left out and counted. Raises `ItnioError` where the
    account cannot be asked.
    """
    orders = read_orders(orders)
    findings = check_orders(orders)
    inventories: dict[str, Inventory] = {}
    entries: dict[tuple[str, str], LedgerEntry] = {}
    if client is not None:
        # First the ledger: what is created and recorded meanwhile would be missed in an earlier listing.
        entries = ledger.entries(client.account, _keys(_split(orders, findings))) if ledger is not None else {}
        inventories, not_listed = list_applications(client, ledger, orders[~orders.index.isin(invalid_rows(findings))])
        findings = _with(findings, not_listed)
    split = _split(orders, findings)
    groups = tuple(
        decide(group, row, inventories.get(group.app_id, _EMPTY), entries.get(_key(group)), recreate=recreate)
        for group, row in zip(phone_groups(split), split["row"].tolist(), strict=True)
    )
    findings = _with(findings, [_gone_finding(one, entries[_key(one.group)]) for one in groups if one.gone])
    return Plan(orders, findings, groups, account_key(client.account) if client is not None else None)


def _split(orders: pd.DataFrame, findings: pd.DataFrame) -> pd.DataFrame:
    """Return the groups of those rows that have no error."""
    return split_orders(orders[~orders.index.isin(invalid_rows(findings))])


def _keys(groups: pd.DataFrame) -> Iterable[tuple[str, str]]:
    return zip(groups["appId"].tolist(), groups["groupName"].tolist(), strict=True)


def account_key(account: Account) -> tuple[str, str]:
    """Return what identifies an account: base address and API key."""
    return account.base_url, account.api_key


def fingerprint(groups: Iterable[PhoneGroup], account: tuple[str, str] | None) -> str:
    """Return the SHA-256 of the wire fields of groups in order, and of the account (see `account_key`)."""
    digest = hashlib.sha256(json.dumps(account or []).encode())
    for group in groups:
        digest.update(json.dumps(group.to_wire()).encode())
    return digest.hexdigest()


def _key(group: PhoneGroup) -> tuple[str, str]:
    return group.app_id, group.group_name


def _gone_finding(one: PlannedGroup, entry: LedgerEntry) -> tuple[object, ...]:
    """Return the warning of a group that was created once and that the account lacks."""
    problem = f"was {entry.state} in run {entry.run} and is {GONE}"
    advice = "Was it deleted? make_plan(..., recreate=True) makes it again."
    return one.row, "groupName", one.group.group_name, problem, advice, "warning"


def _with(findings: pd.DataFrame, more: list[tuple[object, ...]]) -> pd.DataFrame:
    if not more:
        return findings
    added = pd.DataFrame([*findings.itertuples(index=False, name=None), *more], columns=findings.columns)
    return added.sort_values("row", kind="stable", ignore_index=True)


def groups_to_keep(plan: Plan) -> pd.DataFrame:
    """Return the plan's groups as the ledger keeps them: its table, and `again_after`."""
    return plan.table.assign(again_after=pd.Series([one.recreated for one in plan.groups], dtype=object))


def _table_of(groups: Iterable[PlannedGroup]) -> pd.DataFrame:
    rows = [(*one.group.to_wire().values(), str(one.action), one.row, one.why) for one in groups]
    table = pd.DataFrame(rows, columns=[*API_COLUMNS, "action", "row", "why"])
    return table.astype({"quantity": "int64", "row": "int64"})


def _read_plan_file(path: str | PathLike[str]) -> dict[str, Any]:
    try:
        path = Path(path)
        data = path.read_bytes() if _is_plan_file(path) else None
    except (OSError, TypeError, ValueError) as error:
        why = os_error_reason(error)
        raise InputError(f"The plan {path!s} cannot be read ({why}): check the name and the folder.") from None
    if data is None:
        raise InputError(f"{path} is not a saved plan: give a file that plan.save(path) has written.")
    try:
        contents: dict[str, Any] = json.loads(data)
    except (ValueError, RecursionError):
        raise _damaged(path) from None
    version = contents.get("version")
    if isinstance(version, int) and version > _VERSION:
        raise InputError(f"{path} was saved by a newer itnio-nb (plan version {version}): upgrade this one.")
    if type(version) is not int or version != _VERSION:
        raise _damaged(path)
    return contents


def _is_plan_file(path: Path) -> bool:
    """Tell whether a file begins like a plan. A pipe, or a device, could be read for ever. Raises `OSError`."""
    if not path.is_dir() and not (path.is_file() and path.stat().st_size <= _LARGEST) and path.exists():
        return False
    with path.open("rb") as file:
        return file.read(len(_HEAD)) == _HEAD


def _checksum(contents: dict[str, Any]) -> str:
    """Return the SHA-256 of all that a plan file has, however it is laid out: a change by chance is noticed."""
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def _account_of(kept: Any) -> tuple[str, str] | None:
    if kept is None:
        return None
    base_url, api_key = require_texts(kept)
    return base_url, api_key


def _is_of_its_orders(plan: Plan) -> bool:
    """Tell whether each group comes from a row of the orders, and none is planned twice."""
    keys = {_key(one.group) for one in plan.groups}
    return len(keys) == len(plan.groups) and bool(plan.whole_table["row"].isin(plan.orders.index).all())


def _planned_group(cells: list[Any], again: dict[tuple[str, str], int]) -> PlannedGroup:
    """Return a group from its cells in a plan file, which has `gone` in the words of `why` alone."""
    *wire, action, row, why = cells
    group = PhoneGroup(*wire)
    require_texts((group.group_name, group.phone_name, group.display_num, group.app_id, why))
    if not are_whole((group.quantity, row)) or not 1 <= group.quantity <= LIMITS.group_max:
        raise ValueError("a group has 1 to 50 phones, and a row")
    gone = action == Action.IN_DOUBT and GONE in why
    return PlannedGroup(group, int(row), Action(action), why, again.get(_key(group)), gone)


def _damaged(path: str | PathLike[str]) -> InputError:
    return InputError(f"{path} was changed or damaged after it was saved: make the plan again and save it.")
