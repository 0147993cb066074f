"""A ledger as large as it may be, page by page, and how many groups there are in which state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import sqlalchemy as sa

from itnio_nb.api.account.account import Account
from itnio_nb.api.models import PhoneGroup, State, phone_groups
from itnio_nb.ledger.database.database import Database
from itnio_nb.ledger.queries import (
    ALL_RECEIPTS,
    CREATED_RECEIPTS,
    GROUPS_AND_OPERATORS,
    GROUPS_OF_ACCOUNT,
    GROUPS_OF_RECEIPTS,
    KNOWN_GROUPS,
)
from itnio_nb.ledger.run_control import RunControl
from itnio_nb.ledger.schema.rows import is_account
from itnio_nb.ledger.schema.tables import accounts, claims, groups, receipts

SIZE = 1000  # rows of a page
_MOST_NAMED = 5000  # values in one statement
_LAST = 2**62  # a number that no row has
_before = sa.bindparam("before", type_=sa.BigInteger)
_CLAIMED = sa.select(claims.c.group_id)
_was_sent = sa.exists().where(receipts.c.group_id == groups.c.id) | groups.c.id.in_(_CLAIMED)
_NUMBERED, _WITH_OPERATORS = (
    query.add_columns(groups.c.id.label("group")).order_by(None).order_by(groups.c.id.desc())
    for query in (KNOWN_GROUPS, GROUPS_AND_OPERATORS)
)
_RECEIPTS = ALL_RECEIPTS.add_columns(receipts.c.id.label("receipt"))
_NEXT_RECEIPTS = _RECEIPTS.where(receipts.c.id > sa.bindparam("after", type_=sa.BigInteger))
_NEWEST_RECEIPTS = _RECEIPTS.where(receipts.c.id < _before).order_by(None).order_by(receipts.c.id.desc())


class LedgerPages:
    """Read the tables of a ledger page by page; reached as `ledger.pages`.

        page = ledger.pages.newest_groups()
        older = ledger.pages.newest_groups(before=page["group"].iloc[-1])

    Of a million receipts a page reads no more than it has. Each method raises `LedgerError` where the ledger cannot be
    used.
    """

    def __init__(self, database: Database, control: RunControl) -> None:
        self._database, self._control = database, control

    def newest_groups(
        self, account: Account | None = None, *, before: int | None = None, limit: int = SIZE, operators: bool = False
    ) -> pd.DataFrame:
        """Return groups of one account or of all, the newest first: the columns of `table_for`, and `group`.

        Those that follow are asked for by the `group` of the last one, as `before`.
        """
        newest = sa.select(groups.c.id).where(groups.c.id < _before, _was_sent).order_by(groups.c.id.desc())
        if account is not None:
            number = sa.select(accounts.c.id).where(*is_account(account)).scalar_subquery()
            newest = newest.where(groups.c.account_id + 0 == number)  # no index: it would read all of the account
        page, wanted = newest.limit(limit).subquery(), _WITH_OPERATORS if operators else _NUMBERED
        return self._read(wanted.where(groups.c.id.in_(sa.select(page.c.id))), **_before_number(before))

    def newest_receipts(self, *, before: int | None = None, limit: int = SIZE) -> pd.DataFrame:
        """Return receipts, the newest first: the columns of `history`, and `receipt`, as `before` of the next page."""
        return self._read(_NEWEST_RECEIPTS.limit(limit), **_before_number(before))

    def history_after(self, receipt: int = 0, limit: int = SIZE) -> pd.DataFrame:
        """Return the receipts that were written after one that is known: the columns of `history`, and `receipt`."""
        return self._read(_NEXT_RECEIPTS.limit(limit), after=int(receipt))

    def receipts_of_run(self, run_id: int, positions: Sequence[int]) -> pd.DataFrame:
        """Return the receipts of a run of groups at some positions, in the columns of `history`: others too of many."""
        query = ALL_RECEIPTS.where(receipts.c.run_id == run_id)
        if len(positions) <= _MOST_NAMED:
            query = query.where(receipts.c.position.in_(list(positions)))
        return self._read(query)

    def newest_receipt(self) -> int:
        """Return the number of the newest receipt, 0 where there is none."""
        with self._database.transaction() as connection:
            return int(connection.execute(sa.select(sa.func.max(receipts.c.id))).scalar() or 0)

    def groups_since(self, account: Account, receipt: int) -> pd.DataFrame:
        """Return the groups of an account that have a receipt after this one, or are being sent: as `table_for`."""
        written = sa.select(receipts.c.group_id).where(receipts.c.id > sa.bindparam("since", type_=sa.BigInteger))
        table = self._read(GROUPS_OF_ACCOUNT.where(groups.c.id.in_(written)), since=receipt, **_key(account))
        sending = self._read(GROUPS_OF_ACCOUNT.where(groups.c.id.in_(_CLAIMED)), **_key(account))
        return pd.concat([table[table["state"] != State.SENDING], sending], ignore_index=True)

    def counts(self, account: Account | None = None) -> Counter[str]:
        """Return how many groups of one account, or of all, are in which state."""
        known = (KNOWN_GROUPS if account is None else GROUPS_OF_ACCOUNT).order_by(None).subquery()
        states = sa.select(known.c.state, sa.func.count().label("groups")).group_by(known.c.state)
        table = self._read(states, **_key(account))
        return Counter(dict(zip(table["state"].tolist(), table["groups"].tolist(), strict=True)))

    def applications(self, account: Account | None = None) -> list[str]:
        """Return the applications that groups of one account, or of all, were planned for, in order."""
        where = is_account(account) if account else ()
        query = sa.select(groups.c.app_id).select_from(groups.join(accounts)).where(*where)
        query = query.group_by(groups.c.app_id).order_by(sa.func.min(groups.c.id))
        with self._database.transaction() as connection:
            return [str(app_id) for app_id in connection.execute(query).scalars()]

    def created_groups(self, account: Account) -> dict[str, list[PhoneGroup]]:
        """Return the newest groups that the server itself has told to be created (status 0), by application.

        They show how this server writes names and numbers: see `Inventory.learn_writing`.
        """
        self._control.expire_claims()
        read, applications = self._database.read_table, self.applications(account)
        found = {one: read(CREATED_RECEIPTS, app_id=one, **_key(account))["receipt"].tolist() for one in applications}
        tables = {app_id: read(GROUPS_OF_RECEIPTS, receipts=numbers) for app_id, numbers in found.items() if numbers}
        return {app_id: list(phone_groups(table)) for app_id, table in tables.items()}

    def _read(self, query: sa.Select[tuple[object, ...]], **parameters: object) -> pd.DataFrame:
        self._control.expire_claims()
        return self._database.read_table(query, **parameters)


def _before_number(number: int | None) -> dict[str, int]:
    return {"before": _LAST if number is None else int(number)}


def _key(account: Account | None) -> dict[str, str]:
    return {} if account is None else {"base_url": account.base_url, "api_key": account.api_key}
